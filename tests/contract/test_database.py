"""The database does what the packages build on, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Column, MetaData, String, Table, insert, select

from storage.clock import DatabaseClock
from storage.database import Database, open_database
from storage.errors import StorageAway
from storage.locks import try_alone
from storage.types import Moment

metadata = MetaData()
things = Table("things", metadata, Column("name", String, primary_key=True), Column("at", Moment))


@pytest.fixture(autouse=True)
async def tables(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)


async def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as connection:
            await connection.execute(insert(things).values(name="a"))
            raise ZeroDivisionError

    async with database.read() as connection:
        assert (await connection.execute(select(things))).all() == []


async def test_moments_keep_their_microseconds_and_sort_as_time(database: Database) -> None:
    moments = [datetime(2026, 1, 1, 0, 0, 0, n, tzinfo=UTC) for n in (0, 5, 10, 100_000)]
    async with database.begin() as connection:
        rows = [{"name": str(n), "at": at} for n, at in enumerate(reversed(moments))]
        await connection.execute(insert(things), rows)

    async with database.read() as connection:
        found = (await connection.execute(select(things.c.at).order_by(things.c.at))).scalars()
        assert list(found) == moments


async def test_a_naive_moment_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="aware"):
        async with database.begin() as connection:
            await connection.execute(insert(things).values(name="a", at=datetime(2026, 1, 1)))  # noqa: DTZ001


async def test_a_duty_runs_in_one_transaction_at_a_time(database: Database) -> None:
    if database.dialect == "sqlite":  # the writing transaction itself excludes others
        async with database.begin() as connection:
            assert await try_alone(connection, "intake")
        return
    async with database.begin() as first, database.begin() as second:
        assert await try_alone(first, "intake")
        assert not await try_alone(second, "intake")
        assert await try_alone(second, "retention")


async def test_errors_quote_no_values(database: Database) -> None:
    secret = "canary@person.example"
    with pytest.raises(Exception) as caught:
        async with database.begin() as connection:
            await connection.execute(insert(things).values(name=secret))
            await connection.execute(insert(things).values(name=secret))

    assert secret not in str(caught.value)


async def test_a_database_that_is_not_there_is_away() -> None:
    async with open_database("data", "postgresql://nobody@/x?host=/nonexistent") as missing:
        with pytest.raises(StorageAway):
            await missing.ping()


async def test_the_clock_is_read_when_asked_not_when_the_transaction_began(
    database: Database,
) -> None:
    clock = DatabaseClock()
    async with database.begin() as connection:
        first = await clock.now(connection)
        await asyncio.sleep(0.02)
        assert await clock.now(connection) - first >= timedelta(milliseconds=15)
