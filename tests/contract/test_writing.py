from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from consent import tables
from consent.keys.tables import dek
from storage.database import Database
from storage.types import among, texts
from storage.writing import While, insert_all, insert_each, update_all
from tests.support.statements import statements

NOW = datetime(2026, 3, 3, 14, 5, 6, 789_012, tzinfo=UTC)
intake = tables.intake


@pytest.fixture(autouse=True)
async def table(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(intake.create)


def row(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "kind": "sign-up",
        "key_id": "ink_ä",
        "blind_index": b"\0index",
        "index_kid": None,
        "sealed": b"",
        "received_at": NOW,
    } | changes


async def test_rows_are_read_as_they_were_written(database: Database) -> None:
    rows = [row("int_one"), row("int_two", index_kid=7, sealed=b"x")]

    async with database.begin() as connection:
        assert await insert_all(connection, intake, rows) == 2

    async with database.read() as connection:
        found = await connection.execute(select(intake).order_by(intake.c.id))
        assert [dict(one._mapping) for one in found] == rows


async def test_a_row_that_is_there_is_passed_over_and_not_counted(database: Database) -> None:
    async with database.begin() as connection:
        await insert_all(connection, intake, [row("int_one")])

        again = [row("int_one", index_kid=2), row("int_two")]
        assert await insert_all(connection, intake, again, new_only=True) == 1

        found = await connection.execute(select(intake.c.index_kid).where(intake.c.id == "int_one"))
        assert found.scalars().all() == [None]


async def test_no_rows_are_no_statement(database: Database) -> None:
    async with database.begin() as connection:
        assert await insert_all(connection, intake, []) == 0


async def test_each_row_is_changed_as_it_says_and_no_other(database: Database) -> None:
    rows = [row("int_one"), row("int_two"), row("int_three", index_kid=3)]
    changed = [
        {"id": name, "sealed": sealed, "index_kid": kid, "received_at": NOW + timedelta(days=kid)}
        for name, sealed, kid in (("int_two", b"two", 2), ("int_one", b"\0one", 1))
    ]

    async with database.begin() as connection:
        await insert_all(connection, intake, rows)
        await update_all(connection, intake, [*changed, changed[0] | {"id": "int_unknown"}])
        await update_all(connection, intake, [])

        found = await connection.execute(select(intake).order_by(intake.c.received_at.desc()))
        expected = [rows[1] | changed[0], rows[0] | changed[1], rows[2]]
        assert [dict(one._mapping) for one in found] == expected


async def test_what_is_said_last_of_a_row_stands(database: Database) -> None:
    said = [{"id": "int_one", "index_kid": kid} for kid in (3, 1, 2)]

    async with database.begin() as connection:
        await insert_all(connection, intake, [row("int_one")])
        await update_all(connection, intake, said)

        found = await connection.execute(select(intake.c.index_kid))
        assert found.scalars().all() == [2]


async def test_rows_are_found_by_all_of_their_key(database: Database) -> None:
    keys = [("sub_one", "profile"), ("sub_one", "evidence"), ("sub_two", "profile")]
    rows = [
        {"subject": subject, "compartment": which, "epoch": 1, "wrapped": b"", "created_at": NOW}
        for subject, which in keys
    ]

    async with database.begin() as connection:
        await connection.run_sync(dek.create)
        await insert_all(connection, dek, rows)
        one = {"subject": "sub_one", "compartment": "evidence", "wrapped": b"new"}
        await update_all(connection, dek, [one])

        found = await connection.execute(
            select(dek.c.wrapped).order_by(dek.c.subject, dek.c.wrapped)
        )
        assert list(found.scalars()) == [b"", b"new", b""]


@pytest.mark.parametrize("dialect", ["postgresql"])  # SQLite takes a text of any length
async def test_a_text_that_is_too_long_is_refused_and_not_cut_off(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.begin() as connection:
            await insert_all(connection, intake, [row("int_one", kind="k" * 300)])


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="aware"):
        async with database.begin() as connection:
            await insert_all(
                connection, intake, [row("int_one", received_at=NOW.replace(tzinfo=None))]
            )


async def test_rows_of_several_tables_are_written_in_one_statement_where_that_saves_some(
    database: Database,
) -> None:
    made = {"wrapped": b"w", "created_at": NOW, "epoch": 1}
    keys = [{"subject": f"sub_{n}", "compartment": "profile"} | made for n in range(3)]
    async with database.begin() as connection:
        await connection.run_sync(dek.create)

    with statements() as heard:
        async with database.begin() as connection:
            parts = [(intake, [row("int_one"), row("int_two", index_kid=7)]), (dek, keys)]
            await insert_each(connection, *parts, (intake, []))

    written = [one for one in heard if "INSERT" in one]
    assert len(written) == (1 if database.dialect == "postgresql" else 2)
    async with database.read() as connection:
        found = await connection.execute(select(intake).order_by(intake.c.id))
        assert [one.index_kid for one in found] == [None, 7]
        found = await connection.execute(select(dek).order_by(dek.c.subject))
        assert [dict(one._mapping) for one in found] == [*map(_in_order, keys)]


def _in_order(key: dict[str, Any]) -> dict[str, Any]:
    return {column.name: key[column.name] for column in dek.columns}


async def test_rows_that_need_others_are_written_while_those_are_there(database: Database) -> None:
    named = select(intake.c.id).where(among(intake.c.id, texts("names"))).with_for_update()
    async with database.begin() as connection:
        await insert_all(connection, intake, [row("int_one"), row("int_two")])

    async with database.in_one() as connection:
        both = While(named, {"names": ["int_one", "int_two"]}, 2)
        assert await insert_each(connection, (intake, [row("int_three")]), provided=both)
    async with database.in_one() as connection:
        gone = While(named, {"names": ["int_one", "int_none"]}, 2)
        assert not await insert_each(connection, (intake, [row("int_four")]), provided=gone)

    async with database.read() as connection:
        found = (await connection.execute(select(intake.c.id).order_by(intake.c.id))).scalars()
        assert found.all() == ["int_one", "int_three", "int_two"]


async def test_what_is_found_twice_counts_as_one(database: Database) -> None:
    named = select(dek.c.subject).where(among(dek.c.subject, texts("names")))
    made = {"wrapped": b"w", "created_at": NOW, "epoch": 1}
    keys = [("a", "profile"), ("a", "evidence"), ("b", "profile")]
    rows = [{"subject": subject, "compartment": which} | made for subject, which in keys]
    async with database.begin() as connection:
        await connection.run_sync(dek.create)
        await insert_all(connection, dek, rows)

    async with database.in_one() as connection:
        both = While(named, {"names": ["a", "b"]}, 2)
        assert await insert_each(connection, (intake, [row("int_one")]), provided=both)
    async with database.in_one() as connection:
        three = While(named, {"names": ["a", "b", "c"]}, 3)
        assert not await insert_each(connection, (intake, [row("int_two")]), provided=three)


async def test_rows_come_too_late_by_the_servers_clock(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has no clock of its own")
    named = select(intake.c.id).where(among(intake.c.id, texts("names"))).with_for_update()
    late, soon = NOW.replace(year=2000), NOW.replace(year=9000)

    async with database.at_once() as connection:
        assert not await insert_each(connection, (intake, [row("a")]), provided=While(until=late))
        assert await insert_each(connection, (intake, [row("b")]), provided=While(until=soon))
        found = While(named, {"names": ["b"]}, 1, late)
        assert not await insert_each(connection, (intake, [row("c")]), provided=found)
        found = While(named, {"names": ["b"]}, 1, soon)
        assert await insert_each(connection, (intake, [row("d")]), provided=found)
        written = (await connection.execute(select(intake.c.id))).scalars().all()

    assert sorted(written) == ["b", "d"]
