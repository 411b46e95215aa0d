"""A backup that is put back brings nobody back, and the log does not lie about it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from audit.errors import AuditError
from audit.kinds import Actor
from audit.report import Level
from audit.tables import audit_entry
from consent.keys.phases import Declared
from consent.keys.set_phases import RESTS
from gateway.errors import GatewayError
from gateway.flows.proving.export_forms import Form
from gateway.flows.proving.exports import Exports, Taking, at_once
from gateway.flows.restoring import marketing
from gateway.process.lifespan import open_parts
from gateway.watch.marketing import look
from tests.support import bundles
from tests.support.databases import Databases
from tests.support.restoring import (
    FORGOTTEN,
    LATER,
    OBJECTS,
    STAYS,
    WITHDRAWS,
    Past,
    Site,
    live,
    mailed,
    status,
)
from tests.support.rotations import Node, set_states

_NOTHING_LEFT = Declared(no_backups=True, copies_replaced=True)
_ALL = ("data", "keys", "guard")
_DAY_TEN = [
    pytest.param(("data",), id="data"),
    pytest.param(("data", "keys"), id="data and key store", marks=pytest.mark.long),
    pytest.param(_ALL, id="all three"),
]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
async def site(request: pytest.FixtureRequest, tmp_path: Path, new_database_url: Databases) -> Site:
    return await Site.make(tmp_path, new_database_url, request.param)


async def _refused(site: Site) -> str:
    with pytest.raises((AuditError, GatewayError)) as caught:
        async with site.started():
            pass
    return str(caught.value)


async def _readable(site: Site, past: Past) -> bool:
    async with open_parts(site.config, site.clock) as parts:
        return bool(await parts.keystore.held([past.forgotten]))


@pytest.mark.parametrize("stores", _DAY_TEN)
async def test_a_data_backup_brings_nobody_back(site: Site, stores: tuple[str, ...]) -> None:
    past = await live(site)
    site.put_back(past.kept, *stores)
    together = stores == _ALL

    assert "gateway restore" in await _refused(site)
    found, done = await site.restore()

    assert found.restored.data
    assert (done.replayed.withdrawals >= 1) is not together
    async with site.started() as app:
        if together:
            assert await mailed(app) == []
            async with app.parts.data.read() as connection:
                assert await look(connection, app.parts.log.macs) is not None
            await marketing.accept(app.parts.data, app.parts.log, app.parts.clock)
        else:
            assert await mailed(app) == [STAYS]
            assert await app.permission(WITHDRAWS) == "withdrawn"
            assert await app.permission(OBJECTS) == "objected"
            assert await app.permission(FORGOTTEN) == "unknown"
            assert await app.permission(LATER) == "unknown"
        assert await status(app, past) == "uncertain"
        await app.tick()
    assert await _readable(site, past) is together
    report, rows = await site.verified(past.checkpoint)
    assert (report.ok, rows, report.level) == (True, [], Level.HELD_OUTSIDE), report
    assert "accepted gap" in report.gaps[0]
    assert (await site.verified(past.later))[0].ok
    await _tamper(site)
    assert not (await site.verified(past.checkpoint))[0].ok


async def test_where_no_process_ever_ran_only_who_did_it_says_that_all_stores_are_older(
    site: Site,
) -> None:
    past = await live(site)
    site.put_back(past.kept, *_ALL)
    site.forget()

    async with site.started():
        pass
    site.put_back(past.kept, *_ALL)
    site.forget()
    found, _ = await site.restore(declared=True)

    assert (found.restored.names, found.reaches) == (["data", "key store", "guard"], False)
    async with site.started() as app:
        assert await mailed(app) == []
        await app.tick()
    report, rows = await site.verified(past.checkpoint)
    assert (report.ok, rows) == (True, []), report
    later, _ = await site.verified(past.later)
    assert not later.ok  # nobody's guard tells of what was lost


@pytest.mark.long
async def test_all_stores_that_are_put_back_twice_open_a_successor_of_another_name_each_time(
    site: Site,
) -> None:
    past = await live(site)
    for _ in range(2):
        site.put_back(past.kept, *_ALL)
        assert "gateway restore" in await _refused(site)
        await site.restore()
        async with site.started() as app:
            key = await app.key()
            answer = await app.http.get("/v1/audit/checkpoint", headers=key)
            told = (await answer.text()).partition("\n")[0]
            await app.tick()

    assert told == "test.example/audit/gateway/3"
    report, rows = await site.verified(past.checkpoint, past.later)
    assert (report.ok, rows) == (True, []), report


async def test_a_key_store_alone_brings_no_key_back(site: Site) -> None:
    past = await live(site)
    site.put_back(past.kept, "keys")

    refused = await _refused(site)
    found, done = await site.restore()

    assert "gateway restore" in refused
    assert (found.restored.names, done.keyless) == (["key store"], 1)
    async with site.started() as app:
        assert await mailed(app) == [STAYS]
        assert await app.permission(LATER) == "unknown"
        await app.tick()
    assert not await _readable(site, past)
    report, rows = await site.verified(past.later)
    assert (report.ok, rows, report.gaps) == (True, [], ()), report


@pytest.mark.long
async def test_a_restore_that_is_killed_anywhere_is_run_again(site: Site) -> None:
    site.at_present()
    past = await live(site, days=0)
    site.put_back(past.kept, "data", "keys")
    killed, statement = 0, 12

    while site.killed_at(statement, "restore", "--yes") != 0:
        killed, statement = killed + 1, statement + 37

    assert killed > 3
    site.clock.step(timedelta(hours=2))
    async with site.started() as app:
        assert await mailed(app) == [STAYS]
        await app.tick()
    assert not await _readable(site, past)
    report, rows = await site.verified(past.checkpoint, past.later)
    assert (report.ok, rows) == (True, []), report


@pytest.mark.long
async def test_what_broke_off_between_two_steps_is_refused_until_it_was_run_again(
    site: Site,
) -> None:
    past = await live(site)
    site.put_back(past.kept, "data", "keys")

    for step in range(4):
        with pytest.raises(ZeroDivisionError):
            await site.restore(broken_off=step)
        assert "gateway restore" in await _refused(site)
    await site.restore()

    async with site.started() as app:
        assert await mailed(app) == [STAYS]


@pytest.mark.long
async def test_a_guard_that_was_restored_too_holds_marketing_and_nothing_else(site: Site) -> None:
    past = await live(site)
    site.put_back(past.kept, "guard")

    refused = await _refused(site)
    found, _ = await site.restore()

    assert "gateway restore" in refused
    assert (found.restored.names, found.reaches) == (["guard"], False)
    async with site.started() as app:
        assert await mailed(app) == []
        await app.sign_up("new@example.org")
        assert [mail.to for mail in await app.deliver()] == ["new@example.org"]
        await marketing.accept(app.parts.data, app.parts.log, app.parts.clock)
        assert sorted({mail.to for mail in await app.deliver()}) == [STAYS, LATER][::-1]
        await app.tick()
    report, rows = await site.verified(past.later)
    assert (report.ok, rows) == (True, []), report


async def _tamper(site: Site) -> None:
    async with open_parts(site.config, site.clock) as parts, parts.data.begin() as connection:
        changed = update(audit_entry).where(audit_entry.c.leaf_index == 3)
        await connection.execute(changed.values(entry=b"{}"))


class _Telling(Site):
    """One that tells of withdrawals by mail."""

    def write_config(self) -> Path:
        path, purpose = super().write_config(), "[purposes.newsletter]\n"
        path.write_text(path.read_text().replace(purpose, f"{purpose}acknowledge = true\n"))
        return path


@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
async def test_nobody_is_told_again_of_what_they_took_back(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    site = await _Telling.make(tmp_path, new_database_url, dialect)
    past = await live(site)
    site.put_back(past.kept, "data")

    _, done = await site.restore()

    assert done.replayed.withdrawals
    async with site.started() as app:
        app.step(timedelta(seconds=1))
        assert await app.deliver() == []


async def _kept_up(node: Node) -> None:
    await node.keep()
    while await node.keep() or await node.sets.go_on(_NOTHING_LEFT):
        pass
    await node.sets.learn()


async def _rotated(site: Site, kind: str) -> None:
    """Another key of that kind, and the old one is destroyed."""
    async with site.started() as app:
        node = Node(app)
        await _kept_up(node)
        assert await node.sets.begin(kind) == 2
        await _kept_up(node)
        await app.tick()
        app.step(RESTS + timedelta(minutes=1))
        await app.tick()
        async with app.parts.data.begin() as connection:
            await app.parts.marks.drop(connection, None, app.parts.clock.wall(), 100)
        await _kept_up(Node(app))
        assert await set_states(app, kind) == {1: "destroyed", 2: "active"}
        await app.tick()


async def test_a_backup_from_before_the_log_s_key_was_followed_goes_on_under_the_next(
    site: Site,
) -> None:
    past = await live(site)
    async with open_parts(site.config) as parts:
        (old,) = parts.publisher.verifier.vkeys
    await _rotated(site, "signing")
    site.put_back(past.kept, "data")

    assert "gateway restore" in await _refused(site)
    await site.restore()

    async with site.started() as app:
        assert await mailed(app) == [STAYS]
        await app.tick()
        taken = await Exports(app.parts, at_once).of_log(Taking(Form.BUNDLE, Actor.OPERATOR))
        assert taken is not None
        raw = b"".join([piece async for piece in taken.read()])
        vkeys = app.parts.publisher.verifier.vkeys
        assert (vkeys[0], len(vkeys)) == (old, 2)
    report, rows = await site.verified(past.checkpoint)
    assert (report.ok, rows, report.level) == (True, [], Level.HELD_OUTSIDE), report
    assert (await site.verified(past.later))[0].ok
    for known in vkeys:
        sound, said = bundles.check_here(raw, known, [past.checkpoint])
        assert (sound, "accepted gap" in said) == (True, True), said
    await _tamper(site)
    assert not (await site.verified(past.checkpoint))[0].ok


@pytest.mark.parametrize("stores", [("data",), _ALL], ids=["data", "all three"])
async def test_a_backup_whose_look_up_key_is_gone_is_refused_and_says_what_is_to_be_done(
    site: Site, stores: tuple[str, ...]
) -> None:
    past = await live(site)
    await _rotated(site, "lookup")
    site.put_back(past.kept, *stores)
    site.forget()  # nor does the machine tell that all of them are older

    assert "gateway restore" in await _refused(site)
    done = await asyncio.to_thread(site.ran, "restore", "--together", "--yes")

    assert done.returncode == 1
    assert "look-up key 1, which this keyring let go of" in done.stderr
    assert "gateway restore" in await _refused(site)
