"""A backup is tried: put back into scratch, and everything in it verified."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from audit.kinds import Actor
from audit.tables import audit_entry
from consent import address
from consent.keys import epochs, verified
from consent.keys import tables as key_tables
from consent.keys.epochs import EpochState
from consent.keys.tables import verified_backup
from consent.tables import consent
from gateway.backups import taking
from gateway.backups.manifest import Store
from gateway.backups.taking import Source, take
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from gateway.process import backup_check
from tests.support.apps import ADA, App

BOB, CARL = "bob@example.org", "carl@example.org"
BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


async def taken(app: App, folder: Path) -> Path:
    parts = app.parts
    stores = {Store.DATA: parts.data, Store.KEYSTORE: parts.key_database}
    source = Source(
        stores, parts.guard, parts.log, parts.publisher.verifier, parts.rows, parts.clock
    )
    backup, _ = await take(folder, source, (), lambda done, total: None)
    return backup


async def lived(app: App) -> None:
    """A person with a consent, one who is erased with proof that is locked, one who waits."""
    await app.subscribe(ADA)
    await app.subscribe(BOB)
    asked = Request(Question("", address.parse(BOB)), Actor.API, "letter")
    assert await Erasures(Erasing(app.parts)).erase(asked) is not None
    await app.tick()
    await app.sign_up(CARL)  # not worked off


@BOTH
async def test_a_whole_backup_is_found_whole_and_written_down(app: App, tmp_path: Path) -> None:
    await lived(app)
    backup = await taken(app, tmp_path / "backups")
    parts = app.parts

    checked = await backup_check.check(backup, parts.config, None)
    await backup_check.remember(parts.key_database, parts.rows, parts.clock, checked)

    assert (checked.verification.rows, checked.verification.report.findings) == ([], [])
    assert checked.ok
    async with parts.key_database.read() as connection:
        seen = await verified.newest(connection, parts.rows)
    assert seen is not None
    assert (seen.id, seen.epochs, seen.wrapping) == (backup.name, {1: EpochState.ACTIVE}, {1})
    assert seen.taken_at == checked.manifest.made_at
    assert sorted(one.name for one in backup.parent.iterdir()) == [".lock", backup.name]
    async with parts.key_database.begin() as connection:  # as somebody who writes rows
        await connection.execute(update(verified_backup).values(wrapping="", epochs="1:retiring"))
        assert await verified.newest(connection, parts.rows) is None


@BOTH
async def test_what_does_not_fit_together_is_named(app: App, tmp_path: Path) -> None:
    await app.subscribe(ADA)
    await app.subscribe(BOB)
    await app.tick()
    ada, dek = str(await app.subject()), key_tables.dek
    parts = app.parts
    async with parts.key_database.begin() as connection:
        await connection.execute(delete(dek).where(dek.c.subject == ada))
    async with parts.data.begin() as connection:
        await connection.execute(update(consent).values(form="another"))
        index = audit_entry.c.leaf_index
        await connection.execute(delete(audit_entry).where(index == 3))

    backup = await taken(app, tmp_path / "backups")
    checked = await backup_check.check(backup, parts.config, None)

    assert not checked.ok
    said = "\n".join(checked.verification.rows)
    assert f"dek {ada}/evidence: is missing or damaged" in said
    assert "consent con_" in said
    assert checked.verification.report.first_bad == 3


@BOTH
async def test_its_moment_is_not_later_than_what_is_in_it(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is wrapped anew while rows are counted is in it under the epoch of before."""
    began, count = app.parts.clock.wall(), taking._count

    async def slowly(frozen: taking._Frozen) -> int:
        app.step(timedelta(hours=1))
        return await count(frozen)

    monkeypatch.setattr(taking, "_count", slowly)
    backup = await taken(app, tmp_path / "backups")

    checked = await backup_check.check(backup, app.parts.config, None)
    assert checked.manifest.made_at - began < timedelta(minutes=1)


@BOTH
async def test_keys_of_sign_ups_and_of_weeks_count_as_wrapped_too(app: App, tmp_path: Path) -> None:
    await app.sign_up(CARL)
    async with app.parts.key_database.begin() as connection:
        assert await epochs.wrapping(connection) == {1}
        for number, table in ((7, key_tables.intake_key), (8, key_tables.limit_key)):
            await connection.execute(update(table).values(epoch=number))

        assert {7, 8} <= await epochs.wrapping(connection)
