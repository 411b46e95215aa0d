"""Pages of rows advance, whatever somebody calls a row."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, insert, select, text

from storage import paging
from storage.database import Database
from storage.sound import within

metadata = MetaData()
things = Table(
    "named_things",
    metadata,
    Column("name", String(40), primary_key=True, info=within(1, 9)),
    Column("n", Integer, primary_key=True, autoincrement=False, info=within(0, 99)),
    Column("raw", LargeBinary, info=within(0, 9)),
)
STRANGE = ("CAST(x'ff' AS TEXT)", "CAST(x'61ff' AS TEXT)", "x'61'", "'a' || char(0)", "''", "'ä'")


@pytest.fixture(autouse=True)
async def table(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)


async def through(database: Database, limit: int) -> list[tuple[str, int]]:
    """Every key of every page, at most as many pages as would be enough."""
    found: list[tuple[str, int]] = []
    after: tuple[str, int] | None = None
    for _ in range(50):
        query = paging.page(select(things), (things.c.name, things.c.n), after, limit)
        async with database.read() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return found
        found += [(row.name, row.n) for row in rows]
        after = found[-1]
    raise AssertionError("the pages have no end")


@pytest.mark.parametrize("limit", [1, 2, 3, 99])
async def test_every_row_is_in_one_page(database: Database, limit: int) -> None:
    keys = [(name, n) for name in ("a", "b", "b c", "~") for n in (0, 1, 9)]
    async with database.begin() as connection:
        rows = [{"name": name, "n": n, "raw": b""} for name, n in reversed(keys)]
        await connection.execute(insert(things), rows)

    assert sorted(await through(database, limit)) == sorted(keys)


@pytest.mark.parametrize(("rows", "page"), [("", ""), ("a", "a"), ("ab", "ab"), ("abc", "ab")])
def test_a_page_says_that_others_follow_where_they_do(rows: str, page: str) -> None:
    assert paging.cut(rows, 2) == (page, page[-1] if len(rows) > 2 else None)


@pytest.mark.parametrize("dialect", ["sqlite"])  # PostgreSQL keeps nothing else than text as text
@pytest.mark.parametrize("limit", [1, 3])
async def test_rows_without_a_name_of_ours_are_in_no_page_and_are_named(
    database: Database, limit: int
) -> None:
    async with database.begin() as connection:
        await connection.execute(insert(things), [{"name": one, "n": 1} for one in ("a", "z")])
        for value in STRANGE:
            await connection.execute(text(f"INSERT INTO named_things VALUES ({value}, 2, NULL)"))  # noqa: S608 an attacker's SQL

    assert await through(database, limit) == [("a", 1), ("z", 1)]
    async with database.read() as connection:
        named = await paging.strange(connection, things, 99)
    assert len(named) == len(STRANGE)
    assert all(one.startswith("named_things ") and one.endswith("/2") for one in named)


@pytest.mark.long
@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_page_of_a_table_that_nobody_analysed_sorts_nothing(database: Database) -> None:
    many = "SELECT 'n' || i, 1, NULL FROM generate_series(10001, 30000) AS i"
    async with database.begin() as connection:
        await connection.execute(text(f"INSERT INTO named_things {many}"))
    query = paging.page(select(things), (things.c.name, things.c.n), ("n10001", 1), 1000)

    async with database.read() as connection:
        options = {"literal_binds": True}
        statement = query.compile(dialect=connection.dialect, compile_kwargs=options)
        plan = (await connection.exec_driver_sql(f"EXPLAIN {statement}")).scalars().all()

    assert not [one for one in plan if "Sort" in one], plan
