"""Entries that are dated before others: what is a finding, and what a clock that was set back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select

from audit.entry import Draft, Event, draft
from audit.export.jsonl import check_jsonl, jsonl
from audit.kinds import Actor, Kind
from audit.report import Problem, Report
from audit.tables import audit_pending
from audit.times import TOLERANCE
from audit.verify import verify_live
from storage.database import Database
from tests.support.audit import LOG, MOMENT, PUBLISHER, create_log, write
from tests.support.clock import SteppedClock

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
async def opened_log(database: Database, keystore: Database) -> None:
    await create_log(database, keystore)
    await write(database)


def event(at: datetime) -> Draft:
    return draft(Event(Kind.TEXT_PUBLISHED, Actor.SYSTEM, at), None, LOG.node)


async def both(database: Database, keystore: Database) -> list[Report]:
    """What the live log and an export say."""
    await PUBLISHER.publish(database, keystore, SteppedClock())
    raw = b"".join([part async for part in jsonl(database, LOG, PUBLISHER.verifier)])
    live = await verify_live(database, keystore, log=LOG, verifier=PUBLISHER.verifier)
    return [live, check_jsonl(raw.splitlines(keepends=True), PUBLISHER.verifier)]


async def test_an_entry_that_is_dated_back_is_named_once(
    database: Database, keystore: Database
) -> None:
    moments = [MOMENT, MOMENT - timedelta(days=2000), MOMENT, MOMENT + SECOND]
    await write(database, *map(event, moments))

    for report in await both(database, keystore):
        assert [(one.problem, one.index) for one in report.findings] == [(Problem.TIME, 2)]
        assert report.findings[0].text == "time runs backwards by 2000 days, 0:00:00"


async def test_neighbours_may_disagree_by_what_a_transaction_lasts(
    database: Database, keystore: Database
) -> None:
    await write(database, *map(event, [MOMENT + TOLERANCE, MOMENT, MOMENT + SECOND]))

    assert all(report.ok for report in await both(database, keystore))


async def test_many_small_steps_back_are_not_tolerated(
    database: Database, keystore: Database
) -> None:
    await write(database, *(event(MOMENT - n * timedelta(minutes=2)) for n in range(4)))

    for report in await both(database, keystore):
        assert [one.index for one in report.findings] == [4]


async def sequence(database: Database, now: datetime) -> int | None:
    async with database.begin() as connection:
        return await LOG.sequence(connection, now=now)


async def stage(database: Database, *moments: datetime) -> None:
    async with database.begin() as connection:
        await LOG.stage(connection, [event(one) for one in moments])


async def test_a_clock_that_was_set_back_is_told_and_convicts_nobody(
    database: Database, keystore: Database
) -> None:
    await write(database, event(MOMENT + HOUR))
    # Some were staged before the step, some after it, and they wait together.
    await stage(database, MOMENT + HOUR, MOMENT + HOUR + SECOND, MOMENT, MOMENT + SECOND)
    told = await sequence(database, MOMENT + SECOND)
    await stage(database, MOMENT + 2 * SECOND)
    again = await sequence(database, MOMENT + 3 * SECOND)

    async with database.read() as connection:
        steps = await LOG.events(connection, kind=Kind.CLOCK_STEP)
    assert (told, again) == (5, 1)
    assert [(one.index, one.entry.at) for one in steps] == [(4, MOMENT + SECOND)]
    assert steps[0].entry.refs == {"before": "2026-11-23T09:25:11.000Z"}
    assert all(report.ok for report in await both(database, keystore))


async def test_a_row_that_was_held_back_is_no_step_of_the_clock(
    database: Database, keystore: Database
) -> None:
    await stage(database, MOMENT)
    async with database.begin() as connection:
        kept = (await connection.execute(select(audit_pending))).one()._asdict()
        await connection.execute(audit_pending.delete())
    await write(database, event(MOMENT + HOUR))
    async with database.begin() as connection:
        await connection.execute(insert(audit_pending).values(kept))
    await sequence(database, MOMENT + 2 * HOUR)

    for report in await both(database, keystore):
        assert [(one.problem, one.index) for one in report.findings] == [(Problem.TIME, 2)]
