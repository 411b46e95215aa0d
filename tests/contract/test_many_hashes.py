"""Rows are found by many hashes, and by no plan is each row compared with each hash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from consent import suppressions, tables
from consent.suppressions import Count
from storage.database import Database
from storage.types import among_hashes
from tests.support.statements import statements

NOW = datetime(2026, 3, 3, 14, 5, tzinfo=UTC)
counted = tables.confirmation_count


@pytest.fixture(autouse=True)
async def table(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(counted.create)
        for key, at in ((b"a", NOW), (b"a", NOW - timedelta(days=8)), (b"c", NOW)):
            await suppressions.count_mails(connection, [key], at)


async def test_what_is_wanted_is_found_and_nothing_else(database: Database) -> None:
    async with database.begin() as connection:
        found = await suppressions.confirmations_counted(connection, {b"a", b"b"}, NOW)
        nothing = await suppressions.confirmations_counted(connection, set(), NOW)
    assert found == {b"a": Count(1, NOW)}
    assert nothing == {}


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_without_an_index_no_row_is_compared_with_each_hash(database: Database) -> None:
    """Such a plan a table gets while it is small, and keeps until it is analysed: after a flood."""
    async with database.begin() as connection:
        await connection.execute(text("DROP INDEX ix_confirmation_count_address_key"))
        theirs = among_hashes(connection, counted.c.address_key, [b"a"])
        query = select(counted.c.id).where(theirs, counted.c.sent_at > NOW - suppressions.WEEK)
        with statements() as executed:
            await connection.execute(query)
        await connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        await connection.exec_driver_sql(f"PREPARE asked AS {executed[0]}")
        explained = "EXPLAIN EXECUTE asked (ARRAY['a'::BYTEA, 'c'], now())"
        plan = "\n".join((await connection.exec_driver_sql(explained)).scalars())
    assert "unnest" in plan, plan
    assert "ANY" not in plan, plan
