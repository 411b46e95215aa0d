"""What somebody puts into a column who owns the tables and has no key."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Column, Integer, String, Table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.flows.proving import verify
from gateway.parts import Parts
from storage.database import driver_url
from storage.types import Moment
from tests.support.apps import App

# As SQLite writes them, and the types of column that they may pass for well formed in.
EVERYWHERE: Mapping[str, tuple[str, set[type]]] = {
    "null": ("NULL", set()),
    "text": ("'text'", {str}),
    "text that is not UTF-8": ("CAST(x'66ff' AS TEXT)", {str}),
    "a lone surrogate": ("CAST(x'eda080' AS TEXT)", {str}),
    "text with NUL": ("'a' || char(0) || 'b'", set()),
    "a long text": ("replace(hex(zeroblob(700000)), '00', 'xx')", set()),
    "a number": ("12345", {int, str}),
    "a negative number": ("-1", {str}),
    "a number beyond 64 bits": ("'99999999999999999999'", {str}),
    "infinity": ("9e999", {str}),
    "no bytes": ("x''", set()),
    "a byte": ("x'00'", {bytes}),
    "many bytes": ("zeroblob(3000000)", set()),
}
# PostgreSQL keeps its types; whoever owns the tables widens them.
BY_TYPE: Mapping[type, Mapping[str, str]] = {
    bytes: {
        "no bytes": r"'\x'",
        "a byte": r"'\x00'",
        "many bytes": r"decode(repeat('00', 3000000), 'hex')",
    },
    str: {"no text": "''", "a long text": "repeat('ä', 1500000)", "text": "'text'"},
    int: {"a negative number": "-1", "the largest": "9223372036854775807", "a number": "12345"},
    datetime: {
        "never": "'infinity'",
        "before all": "'-infinity'",
        "before Christ": "'4000-01-01 BC'",
        "a year that Python lacks": "'20000-01-01Z'",
    },
}


# Each value takes looks of its own: with every change a fourth of them is written to each column,
# in turn, so that each is written somewhere; all of them to all before a release.
SOME_OR_ALL = pytest.mark.parametrize(
    "each", [pytest.param(4, id="some"), pytest.param(1, id="all", marks=pytest.mark.long)]
)


def attack(column: Column[Any], dialect: str, value: str) -> str:
    """Write SQL's *value* into the column of the row in the middle."""
    row = "rowid" if dialect == "sqlite" else "ctid"
    table = column.table
    one = f"SELECT {row} FROM {table} LIMIT 1 OFFSET (SELECT count(*) / 2 FROM {table})"
    return f"UPDATE {table} SET {column.name} = {value} WHERE {row} = ({one})"


async def drop_constraints(connection: AsyncConnection, table: Table) -> None:
    """As whoever owns a table can."""
    name = table.name
    if connection.dialect.name == "sqlite":
        await connection.execute(text(f"CREATE TABLE forged AS SELECT * FROM {name}"))
        await connection.execute(text(f"DROP TABLE {name}"))
        await connection.execute(text(f"ALTER TABLE forged RENAME TO {name}"))
        return
    query = "SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass)"
    query += " AND contype IN ('p', 'u', 'f')"
    for constraint in (await connection.execute(text(query), {"name": name})).scalars().all():
        drop = f'ALTER TABLE {name} DROP CONSTRAINT "{constraint}" CASCADE'
        await connection.execute(text(drop))
    for index in table.indexes:  # whose entries would be too large
        await connection.execute(text(f"DROP INDEX {index.name}"))
    for column in table.columns:
        change = f"ALTER TABLE {name} ALTER COLUMN {column.name}"
        if not column.nullable:
            await connection.execute(text(f"{change} DROP NOT NULL"))
        if isinstance(column.type, String):
            await connection.execute(text(f"{change} TYPE text"))
        elif isinstance(column.type, Integer):
            await connection.execute(text(f"{change} TYPE bigint"))


async def prepared_anew(parts: Parts) -> None:
    """Return once a verification runs: what was prepared for the tables of before fails once."""
    for _ in range(20):
        try:
            await verify.verify(parts)
        except DBAPIError:
            continue
        return


def hostile(
    column: Column[Any], dialect: str, within: tuple[int, int]
) -> Iterator[tuple[str, str, bool]]:
    """What to write: its name, its SQL, and whether a gateway cannot have written it here."""
    python = datetime if isinstance(column.type, Moment) else column.type.python_type
    least, most = within
    empty = "no bytes" if python is bytes and least == 0 else None  # the frontier of nothing
    if dialect == "sqlite":
        for name, (value, passes) in EVERYWHERE.items():
            odd = python not in passes or (python is bytes and least > 1)
            passed = name == empty or (name == "null" and column.nullable)
            yield name, value, odd and not passed
        return
    yield "null", "NULL", not column.nullable
    # PostgreSQL keeps nothing but yes and no in a column of these.
    for name, value in BY_TYPE.get(python, {}).items():
        fits = python is int and least <= int(value) <= most
        fits = fits or name == empty
        yield name, value, not fits and (name not in ("text", "a byte") or least > 1)


def hostile_to(
    table: Table, dialect: str, within: tuple[int, int] | None, each: int
) -> Iterator[tuple[Column[Any], str, str, bool]]:
    """What to write to every column: every *each*-th value, from another one on each time."""
    for number, column in enumerate(table.columns):
        values = [*hostile(column, dialect, within or column.info["within"])]
        for name, value, odd in values[number % min(each, len(values)) :: each]:
            yield column, name, value, odd


async def by_sql(app: App, *statements: str) -> None:
    """As somebody with the database's own client, which looks after no foreign keys in SQLite."""
    parts = app.parts
    if parts.data.dialect == "sqlite":
        path = str(driver_url(parts.config.storage.url).database)
        with closing(sqlite3.connect(path, timeout=60)) as raw, raw:
            for one in statements:
                raw.execute(one)
        return
    async with parts.data.begin() as connection:
        for one in statements:
            await connection.execute(text(one))


async def refuse(app: App, table: str, row: str) -> None:
    """Whoever owns the tables can have the database refuse to change a row."""
    this = f"NEW.id = '{row}'"
    if app.parts.data.dialect == "sqlite":
        refused = "BEGIN SELECT RAISE(ABORT, 'no'); END"
        await by_sql(app, f"CREATE TRIGGER kept BEFORE UPDATE ON {table} WHEN {this} {refused}")
        return
    body = _quoted("BEGIN RAISE EXCEPTION 'no'; END")
    await by_sql(app, f"CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS '{body}'")
    each = f"FOR EACH ROW WHEN ({this}) EXECUTE FUNCTION no()"
    await by_sql(app, f"CREATE TRIGGER kept BEFORE UPDATE ON {table} {each}")


async def allow(app: App, table: str) -> None:
    on = "" if app.parts.data.dialect == "sqlite" else f" ON {table}"
    await by_sql(app, f"DROP TRIGGER kept{on}")


def _quoted(words: str) -> str:
    return words.replace("'", "''")
