"""By SQL: that rows were signed is hidden while an old keyring is written anew, and comes back.

Whoever writes rows had some of their own signed so: a key that answered, a link
that opened somebody's data.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.tables import audit_entry, audit_pending
from consent import tables as consents
from consent import tokens
from consent.tables import fresh_link, subject
from delivery import tables as delivery
from gateway.callers import api_keys
from gateway.callers.api_keys import Scope
from gateway.flows.proving.verify import verify
from gateway.schema.tables import api_key
from tests.faults.test_stored_lives import AT_ONCE
from tests.support.apps import App
from tests.support.databases import Databases
from tests.support.stored import LIVES, Life, open_life
from tests.support.stores import Rows, open_data, rows

ADOPTED = b'"k":"rows.adopted"'
MINE = f"cgw_{'A' * 43}"
KEY: dict[str, Any] = dict.fromkeys(("senders", "purposes"), "") | {
    "id": "key_planted",
    "name": "mine",
    "token_hash": hashlib.sha256(MINE.encode()).digest(),
    "scopes": "permissions:read",
    "created_at": datetime(2026, 11, 26, tzinfo=UTC),
}
SIGNED = (
    *(consents.subject, consents.consent, consents.confirmation_consent, consents.handle),
    *(consents.fresh_link, delivery.outbox, api_key),
)


@pytest.fixture
async def life(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[Life]:
    async with open_life(LIVES[-1], tmp_path, new_database_url, dialect) as opened:
        yield opened


async def upgrade(life: Life) -> tuple[int, str]:
    done = await asyncio.to_thread(life.gateway.try_command, "db", "upgrade")
    return done.returncode, done.stderr


async def take(connection: AsyncConnection, table: Table) -> Rows:
    """The rows of the log that tell of it, and delete them."""
    told = [one for one in await rows(connection, table) if ADOPTED in one["entry"]]
    (key,) = table.primary_key
    for one in told:
        await connection.execute(delete(table).where(key == one[key.name]))
    return told


async def strip(connection: AsyncConnection) -> dict[Table, Rows]:
    """Make every row look as one of the first release; returns them as they were."""
    kept = {}
    for table in SIGNED:
        kept[table] = await rows(connection, table)
        nothing = {"kid": None} | ({"mac": None} if table.c.mac.nullable else {})
        await connection.execute(update(table).values(nothing))
    return kept


async def put_back(
    connection: AsyncConnection, told: dict[Table, Rows], kept: dict[Table, Rows]
) -> None:
    for table, away in told.items():
        if away:
            await connection.execute(insert(table), away)
    for table, were in kept.items():
        for row in were:
            this = [key == row[key.name] for key in table.primary_key]
            signed = {"kid": row["kid"], "mac": row["mac"]}
            await connection.execute(update(table).where(*this).values(signed))


async def second_upgrade(
    life: Life, table: Table, planted: dict[str, Any], *, stripped: bool
) -> tuple[int, str]:
    """Another machine is upgraded while nothing tells of the first one's, and a row is planted."""
    await upgrade(life)
    keyring = life.gateway.directory / "keyring.json"
    ours = keyring.read_bytes()
    async with open_data(life.gateway) as data:
        async with data.begin() as connection:
            told = {log: await take(connection, log) for log in (audit_entry, audit_pending)}
            assert sum(map(len, told.values())) == 1
            kept = await strip(connection) if stripped else {}
            await connection.execute(insert(table).values(planted))
        life.put_keyring_back()
        done = await upgrade(life)
        async with data.begin() as connection:
            await put_back(connection, told, kept)
    keyring.write_bytes(ours)  # as the operator was told to
    return done


async def told_by_verification(life: Life) -> str:
    said = await asyncio.to_thread(life.gateway.try_command, "audit", "verify")
    assert said.returncode != 0, said.stdout
    return said.stdout


HIDDEN = pytest.mark.parametrize(
    "stripped", [False, True], ids=["the event is away", "every MAC, too"]
)


@HIDDEN
async def test_a_planted_key_is_signed_by_no_second_upgrade(life: Life, stripped: bool) -> None:
    status, said = await second_upgrade(life, api_key, KEY, stripped=stripped)

    assert status != 0, said
    assert "api_key key_planted" in await told_by_verification(life)
    await life.start(AT_ONCE)
    question = {"to": {"email": "ada@example.org"}, "purpose": "newsletter"}
    assert (await life.gateway.call(MINE, "POST", "/v1/permissions", question))[0] == 401
    asked = await life.gateway.call(life.known["key"], "POST", "/v1/permissions", question)
    assert asked[1]["granted"]


@HIDDEN
async def test_a_planted_fresh_link_opens_nobodys_data_after_a_second_upgrade(
    life: Life, stripped: bool
) -> None:
    token, token_hash = tokens.new_link_token()
    async with open_data(life.gateway) as data, data.read() as connection:
        live = select(subject.c.id).where(subject.c.state == "live").order_by(subject.c.id)
        victim = (await connection.execute(live.limit(1))).scalar_one()
    planted = {
        "id": "lnk_planted",
        "token_hash": token_hash,
        "subject": victim,
        "created_at": datetime(2020, 1, 1, tzinfo=UTC),
        "expires_at": datetime(2099, 1, 1, tzinfo=UTC),
    }

    await second_upgrade(life, fresh_link, planted, stripped=stripped)

    assert "fresh_link lnk_planted" in await told_by_verification(life)
    await life.start(AT_ONCE)
    url = f"{life.gateway.base}/my-data/{token}"
    async with life.gateway.http.post(url, allow_redirects=False) as answer:
        assert answer.status == 410


async def test_no_copy_of_an_old_keyring_signs_beside_an_upgrade_that_was_killed(
    life: Life,
) -> None:
    """Where it began it goes on; elsewhere nobody could tell its rows from planted ones."""
    keyring = life.gateway.directory / "keyring.json"
    # Every row is signed then, and nothing told of it.
    last = "before:INSERT INTO audit_pending"
    assert await asyncio.to_thread(life.upgrade_killed_at, last) == -signal.SIGKILL
    assert await begun(life)
    ours = keyring.read_bytes()
    assert b"adopting" in ours
    refused = await asyncio.to_thread(life.gateway.try_command, "serve")
    life.put_keyring_back()

    elsewhere = await upgrade(life)
    keyring.write_bytes(ours)
    here = await upgrade(life)

    assert "run `gateway db upgrade`" in refused.stderr
    assert elsewhere[0] != 0
    assert "copy the keyring" in elsewhere[1]
    assert here[0] == 0, here[1]
    assert b"adopting" not in keyring.read_bytes()
    said = await asyncio.to_thread(life.gateway.command, "audit", "verify")
    assert said.startswith("ok: ")


async def begun(life: Life) -> bool:
    """Whether somebody's row is signed already."""
    if b'"format": 1' in (life.gateway.directory / "keyring.json").read_bytes():
        return False
    async with open_data(life.gateway) as data, data.read() as connection:
        query = select(subject.c.id).where(subject.c.kid.is_not(None)).limit(1)
        return (await connection.execute(query)).first() is not None


async def test_rows_that_were_signed_a_second_time_are_named(app: App) -> None:
    parts, named = app.parts, []
    for _ in range(2):
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            event = Event(Kind.ROWS_ADOPTED, Actor.SYSTEM, now, refs={"api_key": "1"})
            await parts.log.stage(connection, [draft(event, None, "test")])
        named.append((await verify(parts)).rows)

    assert named[0] == []
    assert [one for one in named[1] if "rows.adopted" in one]


async def test_a_key_that_no_event_tells_of_is_named(app: App) -> None:
    await app.key()
    parts = app.parts
    assert (await verify(parts)).ok

    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        key, _ = await api_keys.create(
            connection, parts.rows, name="mine", scopes=tuple(Scope), now=now
        )

    assert [one for one in (await verify(parts)).rows if key.id in one]
