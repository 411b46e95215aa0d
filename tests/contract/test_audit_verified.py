"""What a verification came to is remembered, and who writes rows cannot lie about it."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import delete, select, update

from audit import verified
from audit.errors import LogRefuted
from audit.report import Since
from audit.tables import audit_entry, audit_verified
from audit.verified import Scope, Verified
from consent.keys.phases import Declared
from consent.keys.set_phases import RESTS
from gateway.flows.proving.remembering import Verifying
from gateway.flows.restoring.high_water import HighWater
from gateway.process.lifespan import put_in_order
from gateway.process.nightly import Nightly
from tests.support.apps import App
from tests.support.clock import START
from tests.support.rotations import Node, set_states
from tests.support.stores import rows

WEEK, DAY = timedelta(days=7), timedelta(days=1)
ROOT = bytes(range(32))
WHOLE = Verified(Scope.WHOLE, START, Since(1, 300, ROOT))
NEWER = Verified(Scope.NEWER, START + DAY, Since(1, 400, ROOT))
index = audit_entry.c.leaf_index


def test_it_goes_on_from_the_last_and_looks_at_everything_once_a_week() -> None:
    now = START + 2 * DAY

    assert verified.go_on([], now, WEEK) is None
    assert verified.go_on([NEWER], now, WEEK) is None
    assert verified.go_on([WHOLE], now, WEEK) == WHOLE.since
    assert verified.go_on([WHOLE, NEWER], now, WEEK) == NEWER.since
    assert verified.go_on([WHOLE, NEWER], START + WEEK, WEEK) is None
    assert verified.go_on([WHOLE, NEWER], START - DAY, WEEK) is None, "a clock that ran ahead"


@pytest.mark.parametrize("scope", [Scope.WHOLE, Scope.NEWER])
def test_behind_one_that_found_anything_everything_is_looked_at(scope: Scope) -> None:
    bad = Verified(scope, START + 2 * DAY, verified.NOWHERE, findings=1)

    assert verified.go_on([WHOLE, NEWER, bad], START + 3 * DAY, WEEK) is None


def test_it_is_due_each_night_by_one_process_at_a_time() -> None:
    night = START.replace(hour=4, minute=0, second=1) + DAY
    begun = Verified(Scope.BEGUN, night, verified.NOWHERE)

    assert not verified.is_due([], START, START + timedelta(hours=15))
    assert verified.is_due([], START, night)
    assert not verified.is_due([begun], START, night + timedelta(hours=3))
    assert verified.is_due([begun], START, night + timedelta(hours=13)), "it was killed"
    assert not verified.is_due([Verified(Scope.WHOLE, night, WHOLE.since)], START, night + DAY / 2)


async def put(app: App, entry: bytes) -> bytes:
    """By SQL, in the place of an entry; what stood there."""
    async with app.parts.data.begin() as connection:
        before = select(audit_entry.c.entry).where(index == 3)
        stood = bytes((await connection.execute(before)).scalar_one())
        await connection.execute(update(audit_entry).where(index == 3).values(entry=entry))
    return stood


def of(app: App) -> HighWater:
    parts = app.parts
    return HighWater(parts.config.delivery.journal_dir, parts.publisher, parts.rows)


async def test_what_was_altered_stops_the_signing_until_it_is_put_right(app: App) -> None:
    parts = app.parts
    await app.subscribe()
    assert (await Verifying(parts).verify()).ok
    stood = await put(app, b"x" * 60)

    found = await Verifying(parts).verify()
    assert (found.ok, found.report.first_bad) == (False, 3)
    await app.sign_up("grace@example.org")
    before = parts.publisher.held
    with pytest.raises(LogRefuted, match="the first at index 3"):
        await app.tick()
    with pytest.raises(LogRefuted):
        await of(app).publish(parts.data, parts.guard, parts.clock)
    await put_in_order(parts)  # a start serves, and signs nothing either
    assert parts.publisher.held == before

    await put(app, stood)
    assert (await Verifying(parts).verify()).ok
    await app.tick()
    assert parts.publisher.held != before


async def kept_up(node: Node) -> None:
    await node.keep()
    while await node.keep() or await node.sets.go_on(
        Declared(no_backups=True, copies_replaced=True)
    ):
        pass
    await node.sets.learn()


async def test_another_key_of_rows_does_not_let_go_of_what_was_found(app: App) -> None:
    parts = app.parts
    await app.subscribe()
    await put(app, b"x" * 60)
    assert not (await Verifying(parts).verify()).ok
    node = Node(app)
    await kept_up(node)
    assert await node.sets.begin("rows") == 2
    await kept_up(node)
    app.step(RESTS + timedelta(minutes=1))
    await kept_up(Node(app))
    assert await set_states(app, "rows") == {1: "destroyed", 2: "active"}

    with pytest.raises(LogRefuted, match="the first at index 3"):
        await of(app).publish(parts.data, parts.guard, parts.clock)


async def test_rows_that_somebody_wrote_or_put_back_say_nothing(app: App) -> None:
    parts = app.parts
    await app.subscribe()
    await Verifying(parts).verify()
    async with parts.guard.begin() as connection:
        forged = update(audit_verified).where(audit_verified.c.scope == "whole")
        await connection.execute(forged.values(size=1))
    async with parts.guard.read() as connection:
        assert verified.last(await verified.known(connection, parts.rows, parts.log.first)) is None

    again = await Verifying(parts).verify(newer=True)
    assert again.report.whole, "nothing that counts was there to go on from"

    async with parts.guard.begin() as connection:
        await connection.execute(delete(audit_verified))
    assert (await Verifying(parts).verify(newer=True)).report.whole


async def test_a_wrong_file_of_the_operators_stops_nothing(app: App) -> None:
    await app.subscribe()

    found = await Verifying(app.parts).verify(["another/log\n3\nAAAA\n\n— another/log AAAAAAAA\n"])

    assert not found.ok
    await app.tick()


@pytest.mark.long  # at the lowest priority, beside other tests
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_night_is_verified_by_a_process_that_ends_with_us(app: App) -> None:
    parts = app.parts
    await app.subscribe()
    one = Nightly(parts.config, parts.data, parts.guard, parts.clock, parts.rows, parts.log)
    other = Nightly(parts.config, parts.data, parts.guard, parts.clock, parts.rows, parts.log)
    assert await one.run() == 0, "no night has begun since the log was opened"
    app.step(1000 * DAY)  # a process of its own has a clock of its own, too

    assert [await one.run(), await other.run()] == [1, 0], "of several processes one does it"
    assert await one.run() == 0
    assert one.running is not None
    assert await asyncio.to_thread(one.running.wait) == 0
    await one.run()

    (found,) = [row for row in await guarded(app) if row["scope"] == "whole"]
    assert (found["findings"], found["rows"], found["first_bad"]) == (0, 0, None)
    assert found["size"] > 0

    app.step(1000 * DAY)
    await one.run()
    child: subprocess.Popen[bytes] | None = one.running
    assert child is not None
    one.stop()
    assert child.returncode is not None

    badly = parts.config.model_copy(update={"keys": None})
    one = Nightly(badly, parts.data, parts.guard, parts.clock, parts.rows, parts.log)
    app.step(1000 * DAY)
    await one.run()
    assert one.running is not None
    await asyncio.to_thread(one.running.wait)
    with structlog.testing.capture_logs() as lines:
        await one.run()
    assert ("verification_ended", 1) in [(line["event"], line.get("code")) for line in lines]
    one.stop()


async def guarded(app: App) -> list[dict[str, object]]:
    async with app.parts.guard.read() as connection:
        return await rows(connection, audit_verified)
