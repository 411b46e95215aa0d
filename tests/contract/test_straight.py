from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Integer, bindparam, insert, literal, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from storage import straight
from storage.database import Database
from storage.errors import StorageAway
from storage.types import Moment, among, texts
from storage.writing import insert_all
from tests.support.statements import statements

NOW = datetime(2026, 3, 3, 14, 5, 6, 789_012, tzinfo=UTC)
intake = tables.intake
READ = select(intake).where(among(intake.c.id, texts("names"))).order_by(intake.c.id)
MARK = update(intake).where(intake.c.id == "int_one").values(index_kid=bindparam("to"))
MARKED = MARK.returning(intake.c.id, intake.c.received_at)
ENDLESS = text("SELECT 'infinity'::timestamptz AS at, NULL::timestamptz AS none").columns(
    at=Moment, none=Moment
)
ONE = select(literal(1, Integer).label("one"))
BEFORE = select(intake.c.id).where(intake.c.received_at < bindparam("at", type_=Moment()))
ROWS: list[dict[str, Any]] = [
    {
        "id": name,
        "kind": "sign-up",
        "key_id": "ink_ä",
        "blind_index": b"\0index",
        "index_kid": kid,
        "sealed": sealed,
        "received_at": NOW,
    }
    for name, kid, sealed in (("int_one", None, b""), ("int_two", 7, b"\xff\0"))
]
NAMES = {"names": {"int_one", "int_two", "in\0t"}}


@pytest.fixture(autouse=True)
async def table(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(intake.create)
        await connection.execute(insert(intake), ROWS)


async def begun(connection: AsyncConnection) -> AsyncConnection:
    """With a first statement behind it, which SQLAlchemy began."""
    await connection.execute(text("SELECT 1"))
    return connection


async def test_what_is_read_is_what_sqlalchemy_reads(database: Database) -> None:
    async with database.begin() as connection:
        expected = [tuple(row) for row in await connection.execute(READ, NAMES)]
        found = [tuple(row) for row in await straight.rows(connection, READ, NAMES)]
    async with database.read() as connection:
        alone = [tuple(row) for row in await straight.rows(connection, READ, NAMES)]

    assert expected == [tuple(row.values()) for row in ROWS]
    assert found == alone == expected
    assert [type(value) for value in found[1]] == [type(value) for value in expected[1]]
    assert found[0][-1].tzinfo is UTC


async def test_a_row_has_its_columns_by_name(database: Database) -> None:
    async with database.read() as connection:
        row, _ = await straight.rows(connection, READ, NAMES)

    assert (row.id, row.index_kid, row.received_at) == ("int_one", None, NOW)
    assert not hasattr(row, "anything")


async def test_a_moment_is_given_in_utc_and_must_have_a_zone(database: Database) -> None:
    elsewhere = (NOW + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=5)))
    async with database.begin() as connection:
        await begun(connection)
        assert len(await straight.rows(connection, BEFORE, {"at": elsewhere})) == 2
        assert not await straight.rows(connection, BEFORE, {"at": NOW})
        with pytest.raises((ValueError, StatementError), match="aware"):
            await straight.rows(connection, BEFORE, {"at": NOW.replace(tzinfo=None)})


@pytest.mark.parametrize("dialect", ["postgresql"])  # elsewhere there is no such moment
async def test_infinity_is_read_as_the_last_moment(database: Database) -> None:
    async with database.begin() as connection:
        await begun(connection)
        (row,) = await straight.rows(connection, ENDLESS)

    assert tuple(row) == (row.at, row.none) == (datetime.max.replace(tzinfo=UTC), None)


async def test_a_transaction_that_fails_takes_back_what_went_straight(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as connection:
            await straight.run(connection, MARK, {"to": 1})  # also as the first statement
            await straight.run(connection, MARK, {"to": 2})
            raise ZeroDivisionError

    async with database.begin() as connection:
        await begun(connection)
        assert (await straight.rows(connection, READ, NAMES))[0][4] is None
        assert list(map(tuple, await straight.rows(connection, MARKED, {"to": 3}))) == [
            ("int_one", NOW)
        ]
    async with database.read() as connection:
        assert (await straight.rows(connection, READ, NAMES))[0][4] == 3


async def test_a_refusal_is_told_by_its_kind_and_without_the_row(database: Database) -> None:
    again = insert(intake).values(**ROWS[0] | {"id": bindparam("name")})
    with pytest.raises(IntegrityError) as refused:
        async with database.begin() as connection:
            await begun(connection)
            await straight.run(connection, again, {"name": "int_two"})

    assert "int_two" not in str(refused.value)
    async with database.begin() as connection:
        await straight.run(connection, MARK, {"to": 1})


@pytest.mark.parametrize("dialect", ["postgresql"])  # SQLite is a file
async def test_a_connection_that_is_lost_is_a_database_that_is_away(database: Database) -> None:
    with pytest.raises(StorageAway):
        async with database.begin() as connection:
            ((session,),) = await connection.execute(text("SELECT pg_backend_pid()"))
            async with database.begin() as other:
                await other.execute(text("SELECT pg_terminate_backend(:it)"), {"it": session})
            await straight.rows(connection, READ, NAMES)

    async with database.begin() as connection:
        await begun(connection)
        assert len(await straight.rows(connection, READ, NAMES)) == 2


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_one_that_is_lost_before_it_begins_is_as_much_away(database: Database) -> None:
    with pytest.raises(StorageAway):
        async with database.begin() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            async with database.begin() as other:
                session = {"it": driver.get_server_pid()}
                await other.execute(text("SELECT pg_terminate_backend(:it)"), session)
            await straight.rows(connection, READ, NAMES)

    async with database.begin() as connection:
        assert len(await straight.rows(connection, READ, NAMES)) == 2


async def test_whoever_is_cancelled_leaves_nothing_half_done(database: Database) -> None:
    """What the driver was asked may still be answered: nobody else gets that connection."""

    async def mark_and_wait() -> None:
        async with database.begin() as connection:
            await straight.run(connection, MARK, {"to": 5})
            while True:
                await straight.rows(connection, READ, NAMES)

    for _ in range(3):
        task = asyncio.create_task(mark_and_wait())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    async with database.begin() as connection:
        first, _ = await straight.rows(connection, READ, NAMES)
        assert first.index_kid is None
        await straight.run(connection, MARK, {"to": 6})


async def test_a_statement_is_made_once_for_all_databases_of_a_kind(
    database: Database, keystore: Database
) -> None:
    async with database.read() as connection:
        assert list(map(tuple, await straight.rows(connection, ONE))) == [(1,)]
    made = straight.made.cache_info().currsize

    async with keystore.read() as connection:
        assert list(map(tuple, await straight.rows(connection, ONE))) == [(1,)]

    assert straight.made.cache_info().currsize == made


async def test_whoever_listens_hears_of_each_statement(database: Database) -> None:
    async with database.begin() as connection:
        await begun(connection)
        with statements() as heard:
            await straight.rows(connection, READ, NAMES)
            await straight.run(connection, MARK, {"to": 1})

    assert [one.split()[0] for one in heard] == ["SELECT", "UPDATE"]


async def test_nothing_of_it_goes_by_sqlalchemy(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> None:
        raise AssertionError("asked")

    async with database.begin() as connection:
        monkeypatch.setattr(AsyncConnection, "execute", never)
        monkeypatch.setattr(AsyncConnection, "exec_driver_sql", never)
        assert len(await straight.rows(connection, READ, NAMES)) == 2
        await straight.run(connection, MARK, {"to": 1})
        assert await insert_all(connection, intake, [ROWS[0] | {"id": "int_three"}]) == 1
