"""SQLite answers by our connection as by its own driver, and nothing stays open behind it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from storage import one_hop
from storage.database import Database, open_database
from storage.one_hop import Connection, Cursor

_MANY = 2007  # more than come at once
assert _MANY > 2 * one_hop._AT_ONCE
_NUMBERS = """
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2007)
    SELECT {} FROM n
"""
_COUNTED = _NUMBERS.format("i")
_FAILS_LATE = _NUMBERS.format("CASE WHEN i < 1500 THEN i ELSE abs(-9223372036854775807 - 1) END")


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Connection]:
    connection = one_hop.connect(str(tmp_path / "some.db"), isolation_level=None)
    await connection
    await connection.cursor().execute("CREATE TABLE word (id INTEGER PRIMARY KEY, said TEXT)")
    yield connection
    await connection.close()


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database("data", f"sqlite:///{tmp_path}/other.db") as database:
        async with database.begin() as connection:
            await connection.execute(text("CREATE TABLE word (id INTEGER PRIMARY KEY, said TEXT)"))
        yield database


def _hops(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    asked: list[object] = []
    ask = connection.hop

    async def counted(work: object, *arguments: object) -> None:
        asked.append(work)
        await ask(work, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(connection, "hop", counted)
    return asked


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO word (said) VALUES ('a'), ('b')",
        "INSERT INTO word (said) VALUES ('a'), ('b') RETURNING id, said",
        "UPDATE word SET said = 'c' WHERE said = 'z'",
        "SELECT 1 AS one, 'x' AS two",
        "SELECT 1 WHERE 0",
        _COUNTED,
        "PRAGMA user_version",
    ],
)
async def test_it_answers_what_the_driver_itself_answers(
    opened: Connection, statement: str
) -> None:
    plain = sqlite3.connect(":memory:", isolation_level=None)
    plain.execute("CREATE TABLE word (id INTEGER PRIMARY KEY, said TEXT)")
    by_driver = plain.execute(statement)
    rows = by_driver.fetchall()

    cursor = await opened.cursor().execute(statement)
    found = list(await cursor.fetchall())

    assert found == rows
    said = (cursor.description, cursor.rowcount, cursor.lastrowid)
    # The driver's knows no more of an insertion's last row than of one that another cursor made.
    assert said == (by_driver.description, by_driver.rowcount, by_driver.lastrowid)
    plain.close()


async def test_a_statement_and_its_rows_are_one_hop(
    opened: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _hops(opened, monkeypatch)

    cursor = await opened.cursor().execute("SELECT 1")
    await cursor.fetchall()
    await cursor.close()

    assert len(asked) == 1


async def test_a_stream_holds_a_part_of_its_rows(opened: Connection) -> None:
    cursor = await opened.cursor().execute(_COUNTED)
    found, most = [], 0
    while rows := await cursor.fetchmany(10):
        found += [number for (number,) in rows]
        most = max(most, len(cursor._rows))

    assert found == list(range(1, _MANY + 1))
    assert most < one_hop._AT_ONCE + 10
    assert cursor._open is None


async def test_one_row_after_the_other_and_the_rest(opened: Connection) -> None:
    cursor = await opened.cursor().execute(_COUNTED)

    assert await cursor.fetchone() == (1,)
    assert await cursor.fetchone() == (2,)
    assert [number for (number,) in await cursor.fetchall()] == list(range(3, _MANY + 1))
    assert await cursor.fetchone() is None


async def test_a_statement_that_fails_half_way_holds_nothing(opened: Connection) -> None:
    cursor = opened.cursor()
    with pytest.raises(sqlite3.OperationalError, match="overflow"):
        await _all(cursor, _FAILS_LATE)
    await cursor.close()

    assert cursor._open is None
    await opened.cursor().execute("DROP TABLE word")  # it would be locked by a cursor left open


async def _all(cursor: Cursor, statement: str) -> None:
    await cursor.execute(statement)
    await cursor.fetchall()


async def test_a_cursor_that_is_closed_early_holds_nothing(opened: Connection) -> None:
    await opened.cursor().executemany(
        "INSERT INTO word (id) VALUES (?)", [(number,) for number in range(_MANY)]
    )
    many = await opened.cursor().execute("SELECT id FROM word")
    assert many._open is not None

    await many.close()

    await opened.cursor().execute("DROP TABLE word")


async def test_a_transaction_that_failed_or_was_cancelled_leaves_none_behind(
    file: Database,
) -> None:
    said = text("INSERT INTO word VALUES (1, 'a')")
    with pytest.raises(IntegrityError):
        async with file.begin() as connection:
            await connection.execute(said)
            await connection.execute(said)
    entered = asyncio.Event()

    async def hold() -> None:
        async with file.begin() as connection:
            await connection.execute(said)
            entered.set()
            await asyncio.Event().wait()

    held = asyncio.create_task(hold())
    await entered.wait()
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)

    async with file.begin() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM word"))).scalar_one() == 0


async def test_a_commit_that_is_refused_is_taken_back(opened: Connection) -> None:
    await opened.cursor().execute("PRAGMA foreign_keys = ON")
    await opened.cursor().execute(
        "CREATE TABLE page (id INTEGER, word REFERENCES word (id) DEFERRABLE INITIALLY DEFERRED)"
    )
    await opened.cursor().execute("BEGIN IMMEDIATE")
    await opened.cursor().execute("INSERT INTO page VALUES (1, 7)")  # a word that is not there
    with pytest.raises(sqlite3.IntegrityError):
        await opened.commit()

    await opened.rollback()

    await opened.cursor().execute("BEGIN IMMEDIATE")  # refused inside of another one
    assert await (await opened.cursor().execute("SELECT * FROM page")).fetchall() == deque()
    await opened.rollback()


async def test_a_beginning_that_was_cancelled_is_taken_back(opened: Connection) -> None:
    asked = asyncio.create_task(_all(opened.cursor(), "BEGIN IMMEDIATE"))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)

    await opened.rollback()

    await opened.cursor().execute("BEGIN IMMEDIATE")  # refused inside of another one
    await opened.rollback()


@pytest.mark.parametrize("steps", [1, 4, 7, 10])
async def test_who_is_cancelled_at_any_step_leaves_no_transaction(
    file: Database, steps: int
) -> None:
    async def write() -> None:
        async with file.begin() as connection:
            await connection.execute(text("INSERT INTO word VALUES (1, 'a')"))

    task = asyncio.create_task(write())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    # Waits no ten seconds for a lock, and reads what is there whole or not at all.
    async with asyncio.timeout(60), file.begin() as connection:
        await connection.execute(text("INSERT INTO word VALUES (2, 'b')"))
    async with file.read() as connection:
        found = (await connection.execute(text("SELECT count(*) FROM word"))).scalar_one()
    assert found in (1, 2)


async def test_each_statement_that_reads_is_of_its_own_moment_and_a_snapshot_of_one(
    file: Database,
) -> None:
    count = text("SELECT count(*) FROM word")
    async with file.read() as reading, file.snapshot() as frozen:
        before = [(await one.execute(count)).scalar_one() for one in (reading, frozen)]
        async with file.begin() as connection:
            await connection.execute(text("INSERT INTO word VALUES (1, 'a')"))
        after = [(await one.execute(count)).scalar_one() for one in (reading, frozen)]

    assert (before, after) == ([0, 0], [1, 0])
