"""In what order the counts of a group are locked (PostgreSQL; SQLite has one writer)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway import limits
from gateway.door import Door, Visit
from gateway.limits import FORM, NETWORK, WIDER, Wait, limit_key
from gateway.schema.tables import metadata, rate_limit
from storage.database import Database, open_database
from storage.secret import Secret
from tests.support.clock import START
from tests.support.databases import Databases
from tests.support.locks import blocked

WEEKLY = Secret(bytes(32))
FIRST, *_, LAST = sorted(
    (f"192.0.2.{n}" for n in range(9)), key=lambda one: limit_key(WEEKLY, NETWORK, one)
)


@pytest.fixture
async def data(new_database_url: Databases) -> AsyncIterator[Database]:
    async with open_database("data", new_database_url("postgresql")) as opened:
        async with opened.begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield opened


async def enter(data: Database, visits: Sequence[Visit]) -> list[Wait | None]:
    async with data.begin() as connection:
        held = await Door(enabled=True).hold(connection, [WEEKLY], visits)
        return await held.count(connection, START)


@pytest.mark.parametrize(
    "visits",
    [
        [Visit("signup", LAST), Visit("signup", FIRST)],
        [Visit("signup", None), Visit("other", FIRST)],
    ],
    ids=["a later network", "a form"],
)
async def test_who_waits_for_a_network_holds_nothing_that_comes_after_it(
    data: Database, visits: list[Visit]
) -> None:
    async with data.begin() as connection:
        await limits.hold(connection, [limit_key(WEEKLY, NETWORK, FIRST)], {})
        waiting = asyncio.create_task(enter(data, visits))
        await blocked(data, 1)

        passed = await asyncio.wait_for(enter(data, visits[:1]), 60)

    assert passed == [None]
    assert await waiting == [None, None]


async def test_who_is_refused_for_the_network_does_not_count_at_the_form(data: Database) -> None:
    crowd = [Visit("signup", FIRST)] * 700 + [Visit("signup", LAST)] * 2

    waits = await enter(data, crowd)
    rest = await enter(data, [Visit("signup", None)] * 389)

    assert [wait is None for wait in waits] == [True] * 60 + [False] * 640 + [True] * 2
    assert rest == [None] * 388 + [Wait(limits.FORM.interval)]


async def test_who_is_over_a_wide_limit_is_refused_in_memory_and_nobody_else(
    data: Database,
) -> None:
    door = Door(enabled=True, monotonic=lambda: 0.0)
    prefix = [Visit("signup", f"2001:db8:1:{n:x}00::/64") for n in range(250)]
    async with data.begin() as connection:
        held = await door.hold(connection, [WEEKLY], prefix)
        waits = await held.count(connection, START)

    assert waits.count(None) == WIDER[48].burst
    others = [Visit("signup", "2001:db8:1:ffff::/64"), Visit("other", "2001:db8:1:fe::/64")]
    elsewhere = [Visit("signup", "2001:db8:2:1::/64"), Visit("signup", "192.0.2.1")]
    told = door.waiting(WEEKLY, [*others, *elsewhere, Visit("signup", None)])
    assert told == [Wait(WIDER[48].interval)] * 2 + [None] * 3


async def test_who_was_seen_is_refused_in_memory_where_others_find_room(data: Database) -> None:
    door = Door(enabled=True, monotonic=lambda: 0.0)
    seen = [Visit("signup", f"192.0.2.{n}") for n in range(1, 51)]
    async with data.begin() as connection:
        held = await door.hold(connection, [WEEKLY], seen)
        await held.count(connection, START)
    async with data.begin() as connection:
        held = await door.hold(connection, [WEEKLY], seen * 10)
        waits = await held.count(connection, START)

    assert waits.count(None) == 400
    asked = [seen[0], Visit("other", "192.0.2.1"), Visit("signup", "198.51.100.1")]
    assert door.waiting(WEEKLY, asked) == [Wait(FORM.interval), None, None]


async def test_old_counts_are_purged_beside_somebody_who_holds_one(data: Database) -> None:
    await enter(data, [Visit("signup", FIRST), Visit("signup", LAST)])
    later = START + timedelta(days=2)

    async with data.begin() as connection:
        await limits.hold(connection, [limit_key(WEEKLY, NETWORK, FIRST)], {})
        async with data.begin() as purging:
            purged = await asyncio.wait_for(limits.purge(purging, later), 60)

    async with data.read() as connection:
        left = (await connection.execute(select(func.count()).select_from(rate_limit))).scalar_one()
    assert (purged, left) == (2, 1)
