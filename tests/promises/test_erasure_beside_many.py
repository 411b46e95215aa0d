"""Promise 5 beside a million other people: an erasure is the same work as beside a few."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, LargeBinary, Select, Table, event, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys.tables import dek
from consent.tables import consent
from gateway.schema.database_schema import DATA
from storage.database import Database
from tests.promises.test_erased_is_erased import BOB, NOTHING_KEPT, erase
from tests.support.apps import ADA, App, open_app
from tests.support.calls import queue
from tests.support.databases import Databases

CARL = "carl@example.org"
_AT_ONCE = 20_000
_PLAIN = {"purpose", "compartment"}  # what a copy of somebody's rows keeps
# As many rows as a keyring has keys of a kind, as there are nodes, as wait to be given an index,
# or as were asked for.
_FEW = (
    "CONSTANT ROW",
    "(subquery",
    "live_key",
    "json_each",
    "audit_state",
    "audit_node",
    "audit_pending",
)
_TOUCHED = """
SELECT s.relname, s.seq_tup_read,
       coalesce(heap_blks_hit + heap_blks_read, 0) + coalesce(idx_blks_hit + idx_blks_read, 0)
FROM pg_stat_user_tables s JOIN pg_statio_user_tables USING (relid)"""


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_erasing_one_of_a_million_is_the_work_of_erasing_one_of_ten_thousand(
    tmp_path: Path, new_database_url: Databases
) -> None:
    """Counted in pages that PostgreSQL touches, and rows that it reads in no index's order."""
    async with open_app(tmp_path, new_database_url, "postgresql", more=NOTHING_KEPT) as app:
        for one in (ADA, CARL, BOB):
            await app.subscribe(one)
            await queue(app, one, text="Hello.")
        await app.deliver()
        bob = await app.subject(BOB)
        assert bob is not None

        await _multiply(app, bob, 1, 10_000)
        few, _ = await _work_of_erasing(app, ADA)
        await _multiply(app, bob, 10_001, 1_000_000)
        many, read_whole = await _work_of_erasing(app, CARL)

    print(f"pages touched: {few} beside 10,000 people, {many} beside 1,000,000")
    assert read_whole == {}
    assert many <= 1.5 * few


async def test_no_statement_of_an_erasure_reads_a_table_whole(
    tmp_path: Path, new_database_url: Databases
) -> None:
    async with open_app(tmp_path, new_database_url, "sqlite") as app:
        await app.subscribe(ADA)
        await queue(app, text="Hello.")
        await app.deliver()
        executed: list[tuple[str, Any]] = []

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            executed.append((statement, parameters))

        event.listen(Engine, "before_cursor_execute", note)
        await erase(app)
        event.remove(Engine, "before_cursor_execute", note)

        planned = [one for one in executed if one[0].split()[0] in ("SELECT", "UPDATE", "DELETE")]
        scans = [scan for sql, values in planned for scan in await _scans(app, sql, values)]
    assert len(planned) > 20
    assert scans == []


async def _scans(app: App, statement: str, parameters: Any) -> list[tuple[str, str]]:
    for database in (app.parts.data, app.parts.key_database):
        try:
            async with database.read() as connection:
                plan = f"EXPLAIN QUERY PLAN {statement}"
                many = isinstance(parameters, list)
                rows = await connection.exec_driver_sql(plan, parameters[0] if many else parameters)
                steps = [str(row["detail"]) for row in rows.mappings()]
        except OperationalError as error:  # a table of the other database
            assert "no such table" in str(error)
            continue
        whole = [step for step in steps if step.startswith("SCAN")]
        return [(one, statement) for one in whole if not any(f" {name}" in one for name in _FEW)]
    raise AssertionError(statement)


async def _work_of_erasing(app: App, email: str) -> tuple[int, dict[str, int]]:
    """Pages touched, and how many rows of which big tables were read in no index's order."""
    stores_ = (app.parts.data, app.parts.key_database)
    before = [await _touched(one) for one in stores_]
    assert (await erase(app, email=email))[0] == 202
    after = [await _touched(one) for one in stores_]
    pages = 0
    read: dict[str, int] = {}
    for was, now in zip(before, after, strict=True):
        pages += sum(now[name][0] - was[name][0] for name in now)
        read |= {name: now[name][1] - was[name][1] for name in now if now[name][1] > was[name][1]}
    return pages, {name: count for name, count in read.items() if count > 1000}


async def _touched(database: Database) -> dict[str, tuple[int, int]]:
    await asyncio.sleep(2)  # each connection tells what it did a second after, at its next chance
    for _ in range(2):  # the connection that asks tells only now, too
        async with database.begin() as connection:
            await connection.execute(text("SELECT pg_stat_force_next_flush()"))
    async with database.begin() as connection:
        rows = (await connection.execute(text(_TOUCHED))).all()
    return {name: (int(blocks), int(read)) for name, read, blocks in rows}


async def _multiply(app: App, subject: str, first: int, last: int) -> None:
    """Copies of somebody's rows under other ids: people as big as a real one."""
    # A statement that takes a minute counts as lost.
    for some in range(first, last + 1, _AT_ONCE):
        until = min(some + _AT_ONCE - 1, last)
        async with app.parts.data.begin() as connection:
            for table in (table for meta in DATA.tables for table in meta.sorted_tables):
                await _copy(connection, table, subject, some, until)
        async with app.parts.key_database.begin() as connection:
            await _copy(connection, dek, subject, some, until)
    for database in (app.parts.data, app.parts.key_database):
        async with database.begin() as connection:
            await connection.execute(text("ANALYZE"))


async def _copy(
    connection: AsyncConnection, table: Table, subject: str, first: int, last: int
) -> None:
    theirs = _theirs(table, subject)
    if theirs is None:
        return
    names = ", ".join(column.name for column in table.c)
    values = ", ".join(_copied(column) for column in table.c)
    for place in (await connection.execute(theirs)).scalars().all():
        source = f"{table.name}, generate_series({first}, {last}) AS n"
        copied = f"SELECT {values} FROM {source} WHERE {table.name}.ctid = '{place}'"  # noqa: S608
        await connection.execute(text(f"INSERT INTO {table.name} ({names}) {copied}"))


def _theirs(table: Table, subject: str) -> Select[Any] | None:
    """Where their rows are in *table*; None: none are theirs."""
    places = select(text(f"{table.name}.ctid::text")).select_from(table)
    if table.name == "subject":
        return places.where(table.c.id == subject)
    if table.name == "confirmation_consent":
        mine = select(consent.c.id).where(consent.c.subject == subject)
        return places.where(table.c.consent.in_(mine))
    return places.where(table.c.subject == subject) if "subject" in table.c else None


def _copied(column: Column[Any]) -> str:
    name = f"{column.table.name}.{column.name}"
    hashes = isinstance(column.type, LargeBinary)
    # Of two people none is alike: a table that has one value a million times is read whole.
    searched = hashes and any(column.name in one.columns for one in column.table.indexes)
    named = column.primary_key or column.unique or column.foreign_keys or searched
    if not (named or column.name in ("subject", "message")) or column.name in _PLAIN:
        return name
    if hashes:
        digest = f"sha256({name} || convert_to(n::text, 'UTF8'))"
        return f"substring({digest} FROM 1 FOR length({name}))"
    return f"{name} || '_' || n" if column.type.python_type is str else name
