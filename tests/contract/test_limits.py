from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway import limits
from gateway.limits import Bucket, Limit
from gateway.schema.tables import metadata, rate_limit
from storage.database import Database
from storage.secret import Secret
from tests.support.clock import START

FIVE = Limit("five", burst=5, interval=timedelta(seconds=2))
KEY = limits.limit_key(Secret(bytes(32)), FIVE, "192.0.2.7")


@pytest.fixture
async def data(database: Database) -> AsyncIterator[Database]:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield database


async def hit(data: Database, after: float = 0, key: bytes = KEY) -> timedelta | None:
    async with data.begin() as connection:
        bucket = Bucket(FIVE, (await limits.hold(connection, [key], {}))[key])
        now = START + timedelta(seconds=after)
        waits = None if bucket.pour(now) is not None else bucket.wait(now)
        await limits.write(connection, {key: bucket.empty_at})
        return waits


async def test_a_burst_passes_and_the_next_hit_waits(data: Database) -> None:
    waits = [await hit(data) for _ in range(6)]

    assert waits == [None] * 5 + [timedelta(seconds=2)]


async def test_a_refused_hit_is_not_counted(data: Database) -> None:
    for _ in range(20):
        await hit(data)

    assert await hit(data, after=1) == timedelta(seconds=1)
    assert await hit(data, after=2) is None
    assert await hit(data, after=2) == timedelta(seconds=2)


async def test_whoever_waits_long_enough_has_the_whole_burst_again(data: Database) -> None:
    for _ in range(5):
        await hit(data)

    waits = [await hit(data, after=10) for _ in range(6)]

    assert waits == [None] * 5 + [timedelta(seconds=2)]


async def test_hits_at_once_do_not_pass_beyond_the_burst(data: Database) -> None:
    waits = await asyncio.gather(*(hit(data) for _ in range(12)))

    assert waits.count(None) == 5


async def test_each_key_counts_alone(data: Database) -> None:
    for _ in range(6):
        await hit(data)
    other = limits.limit_key(Secret(bytes(32)), FIVE, "192.0.2.8")

    assert await hit(data, key=other) is None


async def test_a_clock_that_went_back_makes_nobody_pass_early_and_prolongs_no_wait(
    data: Database,
) -> None:
    for _ in range(5):
        await hit(data)

    assert await hit(data, after=-1) == timedelta(seconds=2)
    assert await hit(data, after=1) is None


async def test_a_hit_while_the_clock_ran_ahead_fills_no_more_than_one_bucket(
    data: Database,
) -> None:
    await hit(data, after=5 * 24 * 3600)

    assert await hit(data) == timedelta(seconds=2)
    assert await hit(data, after=2) is None
    assert await hit(data, after=4) is None
    waits = [await hit(data, after=60) for _ in range(6)]
    assert waits == [None] * 5 + [timedelta(seconds=2)]


async def test_rows_that_limited_nothing_for_a_day_are_purged(data: Database) -> None:
    await hit(data)
    await hit(data, after=1, key=b"other")

    async with data.begin() as connection:
        purged = await limits.purge(connection, START + timedelta(days=1, seconds=2))
        left = (await connection.execute(select(func.count()).select_from(rate_limit))).scalar_one()

    assert (purged, left) == (1, 1)


def test_a_row_is_named_by_a_keyed_hash_of_limit_and_value() -> None:
    secrets = [Secret(bytes(32)), Secret(bytes(31) + b"\1")]
    named = [Limit("network", 5, timedelta(seconds=2)), Limit("form", 5, timedelta(seconds=2))]

    keys = {limits.limit_key(s, n, v) for s in secrets for n in named for v in ("a", "b")}

    assert len(keys) == 8


async def reserve(data: Database, after: float = 0) -> timedelta | None:
    longest, now = timedelta(seconds=6), START + timedelta(seconds=after)
    async with data.begin() as connection:
        return await limits.reserve(connection, [KEY], FIVE, now, longest)


async def test_what_may_wait_gets_a_turn_of_its_own_and_no_more_than_fit(data: Database) -> None:
    waits = [await reserve(data) for _ in range(10)]

    turns = [timedelta(seconds=one) for one in (0, 0, 0, 0, 0, 2, 4, 6)]
    assert waits == [*turns, None, None]
    assert await reserve(data, after=2) == timedelta(seconds=6)
