"""Public checkpoints: one a day, the same on every node, behind covers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from audit import public
from audit.checkpoints import Checkpoint
from audit.entry import Draft, Event, draft
from audit.kinds import Actor, Kind
from audit.public import FEWEST, SPREAD
from audit.report import Report
from audit.tables import audit_entry
from audit.verify import verify_live
from storage.database import Database
from tests.support.audit import LOG, PUBLISHER, create_log, write
from tests.support.clock import SteppedClock

DAY = timedelta(days=1)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        pytest.param(None, at(23, 9), True, id="never before"),
        pytest.param(at(23, 9), at(23, 9), False, id="at once"),
        pytest.param(at(23, 9), at(23, 23), False, id="on the same day"),
        pytest.param(at(23, 9), at(24, 2, 59), False, id="before three of the next day"),
        pytest.param(at(23, 9), at(24, 3), True, id="at three of the next day"),
        pytest.param(at(23, 2), at(23, 3), True, id="made late, and the next in time"),
        pytest.param(at(24, 3), at(24, 2, 59), False, id="a clock that was set back a little"),
        pytest.param(at(23, 9), at(28, 12), True, id="after days of being off"),
        pytest.param(at(28, 12), at(28, 12, 1), False, id="which is one, not many"),
        pytest.param(at(29, 9), at(23, 9), True, id="a clock that ran days ahead"),
    ],
)
def test_it_is_due_once_for_each_day_that_begins_at_three(
    last: datetime | None, now: datetime, due: bool
) -> None:
    assert public.is_due(last, now) is due


@pytest.fixture
async def data(database: Database, keystore: Database) -> Database:
    """With a log, whose guard is in the key store."""
    await create_log(database, keystore)
    await write(database)
    return database


def events(count: int, clock: SteppedClock) -> list[Draft]:
    """What happened just now."""
    told = (Event(Kind.TEXT_PUBLISHED, Actor.SYSTEM, clock.moment) for _ in range(count))
    return [draft(one, None, LOG.node) for one in told]


async def turn(data: Database, guard: Database, clock: SteppedClock, wanted: int = 3) -> bool:
    """What the duties do: show, and publish."""

    def dice(below: int) -> int:
        assert below == SPREAD
        return wanted

    made = await public.show(data, LOG, clock, dice)
    await PUBLISHER.publish(data, guard, clock)
    return made


async def shown(data: Database) -> Checkpoint | None:
    async with data.read() as connection:
        found = await public.newest(connection, LOG, PUBLISHER.verifier)
    return None if found is None else found.checkpoint


async def kinds(data: Database) -> Sequence[str]:
    query = select(audit_entry.c.kind).order_by(audit_entry.c.leaf_index)
    async with data.read() as connection:
        return (await connection.execute(query)).scalars().all()


async def verify(data: Database, guard: Database) -> Report:
    return await verify_live(data, guard, log=LOG, verifier=PUBLISHER.verifier)


async def test_directly_before_it_stand_as_many_covers_as_the_dice_say(
    data: Database, keystore: Database, clock: SteppedClock
) -> None:
    assert await turn(data, keystore, clock, wanted=3)

    await write(data, *events(2, clock))
    clock.step(DAY)
    assert await turn(data, keystore, clock, wanted=SPREAD - 1)

    cover, mark = str(Kind.LOG_COVER), str(Kind.LOG_SHOWN)
    told = [str(Kind.LOG_OPENED), *[cover] * (FEWEST + 3), mark]
    told += [str(Kind.TEXT_PUBLISHED)] * 2 + [cover] * (FEWEST + SPREAD - 1) + [mark]
    assert await kinds(data) == told
    seen = await shown(data)
    assert seen is not None
    assert seen.size == len(told)
    assert (await verify(data, keystore)).ok


async def test_the_dice_are_rolled_where_nobody_gives_any(
    data: Database, keystore: Database, clock: SteppedClock
) -> None:
    for _ in range(4):
        await public.show(data, LOG, clock)
        clock.step(DAY)

    runs = [0]
    for kind in await kinds(data):
        runs[-1] += kind == Kind.LOG_COVER
        if kind == Kind.LOG_SHOWN:
            runs.append(0)
    assert all(FEWEST <= one < FEWEST + SPREAD for one in runs[:-1])
    assert len(set(runs[:-1])) > 1


async def test_what_happens_until_the_next_day_moves_nothing_that_is_shown(
    data: Database, keystore: Database, clock: SteppedClock
) -> None:
    await turn(data, keystore, clock)
    first = await shown(data)

    for _ in range(3):
        await write(data, *events(2, clock))
        clock.step(timedelta(hours=5))
        assert not await turn(data, keystore, clock)
        assert await shown(data) == first
    clock.step(timedelta(hours=5))
    assert await turn(data, keystore, clock)

    second = await shown(data)
    assert first is not None
    assert second is not None
    assert second.size == first.size + 6 + FEWEST + 3 + 1


async def test_until_it_is_signed_the_one_before_is_shown(
    data: Database, keystore: Database, clock: SteppedClock
) -> None:
    await turn(data, keystore, clock)
    first = await shown(data)
    clock.step(DAY)

    await public.show(data, LOG, clock, lambda _: 0)  # and dies before it publishes
    unsigned = await shown(data)
    assert not await turn(data, keystore, clock), "a restart made another"

    assert unsigned == first
    assert await shown(data) != first


async def test_of_nodes_that_do_it_at_once_one_does(
    data: Database, keystore: Database, clock: SteppedClock
) -> None:
    done = await asyncio.gather(*(public.show(data, LOG, clock) for _ in range(4)))

    assert sorted(done) == [False, False, False, True]
    assert Counter(await kinds(data))[str(Kind.LOG_SHOWN)] == 1


async def test_a_row_that_only_says_so_shows_nothing(
    data: Database, keystore: Database, clock: SteppedClock
) -> None:
    await turn(data, keystore, clock)
    first = await shown(data)
    await write(data, *events(3, clock))
    await PUBLISHER.publish(data, keystore, clock)

    async with data.begin() as connection:
        planted = update(audit_entry).where(audit_entry.c.kind == Kind.TEXT_PUBLISHED)
        await connection.execute(planted.values(kind=Kind.LOG_SHOWN))

    assert await shown(data) == first


async def test_rows_that_only_say_so_bring_no_covers_at_every_turn(
    data: Database, keystore: Database, clock: SteppedClock
) -> None:
    """Planted behind the end of the log they hide the true ones, also those that come."""
    await turn(data, keystore, clock)
    async with data.begin() as connection:
        (row,) = (await connection.execute(select(audit_entry).limit(1))).mappings()
        planted = [
            dict(row) | {"leaf_index": 10**9 + n, "eid": n.to_bytes(16), "kind": "log.shown"}
            for n in range(200)
        ]
        await connection.execute(insert(audit_entry), planted)
    there = len(await kinds(data))

    for _ in range(3):
        clock.step(DAY)
        assert not await public.show(data, LOG, clock)

    assert len(await kinds(data)) == there
    assert not (await verify(data, keystore)).ok


async def test_covers_are_no_events_unless_they_are_asked_for(
    data: Database, keystore: Database, clock: SteppedClock
) -> None:
    await turn(data, keystore, clock)
    await write(data, *events(2, clock))

    async with data.read() as connection:
        read = await LOG.events(connection)
        covers = await LOG.events(connection, kind=Kind.LOG_COVER, limit=1000)

    told = [Kind.LOG_OPENED, Kind.LOG_SHOWN, Kind.TEXT_PUBLISHED, Kind.TEXT_PUBLISHED]
    assert [one.entry.kind for one in read] == told
    assert len(covers) == FEWEST + 3
    assert {bool(one.entry.refs or one.entry.commitments) for one in covers} == {False}


async def test_a_log_whose_sequencer_stands_still_grows_by_no_covers_but_the_day_s(
    data: Database, keystore: Database, clock: SteppedClock
) -> None:
    await turn(data, keystore, clock)
    async with data.begin() as connection:
        await LOG.stage(connection, events(1, clock))  # and nobody sequences it

    for _ in range(3):
        assert not await turn(data, keystore, clock)

    assert len(await kinds(data)) == 1 + FEWEST + 3 + 1
