"""By SQL: anything in any column of the log. It is named, and nobody who reads it fails."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Column, Integer, String, Table, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Draft, Event, draft
from audit.errors import AuditError
from audit.export import check_jsonl, jsonl
from audit.kinds import Actor, Kind
from audit.report import Problem
from audit.tables import audit_entry, audit_guard, metadata
from gateway.callers.api_keys import Scope
from gateway.flows.proving import verify
from gateway.parts import Parts
from storage.database import Database
from storage.ids import named
from storage.types import Moment
from tests.support.apps import App

DATA = metadata.sorted_tables
TABLES = [*DATA, audit_guard]
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


@dataclass
class Scene:
    """A gateway with a row in every table of the log, and the tables as they were."""

    app: App
    event: str  # one that is published

    def place(self, table: Table) -> Database:
        return self.app.parts.guard if table is audit_guard else self.app.parts.data

    async def attack(self, table: Table, column: str, value: str) -> None:
        row = "rowid" if self.app.parts.data.dialect == "sqlite" else "ctid"
        one = (
            f"SELECT {row} FROM {table.name} LIMIT 1 OFFSET (SELECT count(*) / 2 FROM {table.name})"
        )
        async with self.place(table).begin() as connection:
            changed = f"UPDATE {table.name} SET {column} = {value} WHERE {row} = ({one})"
            assert (await connection.execute(text(changed))).rowcount == 1

    async def put_back(self) -> None:
        for table in TABLES:
            async with self.place(table).begin() as connection:
                await connection.execute(text(f"DELETE FROM {table.name}"))
                back = f"INSERT INTO {table.name} SELECT * FROM kept_{table.name}"
                await connection.execute(text(back))


@pytest.fixture
async def scene(app: App) -> AsyncIterator[Scene]:
    parts = app.parts
    await app.subscribe()
    await app.deliver()
    async with parts.data.begin() as connection:
        await parts.log.stage(connection, events(parts, 300, await parts.clock.now(connection)))
    await app.tick()
    async with parts.data.begin() as connection:
        (first,) = await parts.log.events(connection, limit=1)
        await parts.log.stage(connection, events(parts, 3, await parts.clock.now(connection)))
    made = Scene(app, named("evt", first.entry.eid))
    for table in TABLES:
        async with made.place(table).begin() as connection:
            await drop_constraints(connection, table)
            kept = f"CREATE TABLE kept_{table.name} AS SELECT * FROM {table.name}"
            await connection.execute(text(kept))
            count = text(f"SELECT count(*) FROM {table.name}")
            assert (await connection.execute(count)).scalar_one() > 0, f"nothing in {table.name}"
    yield made


def events(parts: Parts, count: int, now: datetime) -> list[Draft]:
    made = (Event(Kind.TEXT_PUBLISHED, Actor.SYSTEM, now) for _ in range(count))
    return [draft(one, None, parts.log.node) for one in made]


async def drop_constraints(connection: AsyncConnection, table: Table) -> None:
    """As whoever owns a table can."""
    name = table.name
    if connection.dialect.name == "sqlite":
        await connection.execute(text(f"CREATE TABLE forged AS SELECT * FROM {name}"))
        await connection.execute(text(f"DROP TABLE {name}"))
        await connection.execute(text(f"ALTER TABLE forged RENAME TO {name}"))
        return
    query = "SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass)"
    query += " AND contype IN ('p', 'u')"
    for constraint in (await connection.execute(text(query), {"name": name})).scalars().all():
        await connection.execute(text(f'ALTER TABLE {name} DROP CONSTRAINT "{constraint}"'))
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


def hostile(column: Column[Any], dialect: str) -> Iterator[tuple[str, str, bool]]:
    """What to write: its name, its SQL, and whether a gateway cannot have written it here."""
    python = datetime if isinstance(column.type, Moment) else column.type.python_type
    least, most = column.info["within"]
    empty = "no bytes" if python is bytes and least == 0 else None  # the frontier of nothing
    if dialect == "sqlite":
        for name, (value, passes) in EVERYWHERE.items():
            odd = python not in passes or (python is bytes and least > 1)
            passed = name == empty or (name == "null" and column.nullable)
            yield name, value, odd and not passed
        return
    yield "null", "NULL", not column.nullable
    for name, value in BY_TYPE[python].items():
        fits = python is int and least <= int(value) <= most
        fits = fits or name == empty
        yield name, value, not fits and (name not in ("text", "a byte") or least > 1)


@pytest.mark.parametrize("table", TABLES, ids=lambda one: one.name)
async def test_whatever_stands_in_a_column_of_the_log_is_named_and_stops_nobody(
    scene: Scene, table: Table, dialect: str
) -> None:
    assert (await verify.verify(scene.app.parts)).ok
    key = await scene.app.key(Scope.AUDIT_READ)
    for column in table.columns:
        for name, value, odd in hostile(column, dialect):
            what = f"{table.name}.{column.name}: {name}"
            await scene.attack(table, column.name, value)

            verdict = await verify.verify(scene.app.parts)
            exported = await export_and_check(scene)
            await ask_everything(scene, key, what)
            await run_duties(scene)
            await scene.put_back()

            assert not verdict.ok, what
            named = [
                one.text for one in verdict.report.findings if one.problem is Problem.MALFORMED
            ]
            assert not odd or [one for one in named if one.startswith(f"{table.name} ")], what
            assert table is not audit_entry or column.name != "entry" or not exported, what
    assert (await verify.verify(scene.app.parts)).ok


async def export_and_check(scene: Scene) -> bool:
    parts = scene.app.parts
    vkey = parts.publisher.vkey
    raw = b"".join([part async for part in jsonl(parts.data, parts.log, vkey)])
    return check_jsonl(raw.splitlines(keepends=True), vkey).ok


async def ask_everything(scene: Scene, key: dict[str, str], what: str) -> None:
    paths = ["checkpoint", "events", "events?kind=text.published", f"events/{scene.event}/proof"]
    for path in paths:
        async with scene.app.http.get(f"/v1/audit/{path}", headers=key) as answer:
            assert answer.status < 500, f"{path}, {what}"


async def run_duties(scene: Scene) -> None:
    """They may say that they cannot go on, for a reason that they know."""
    parts = scene.app.parts
    with suppress(AuditError, IntegrityError):
        async with parts.data.begin() as connection:
            await parts.log.sequence(connection, now=await parts.clock.now(connection))
    with suppress(AuditError):
        await parts.publisher.publish(parts.data, parts.guard, parts.clock)
