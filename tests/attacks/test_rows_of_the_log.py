"""By SQL: anything in any column of the log. It is named, and nobody who reads it fails."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import pytest
from sqlalchemy import Table, text
from sqlalchemy.exc import IntegrityError

from audit.entry import Draft, Event, draft
from audit.errors import AuditError
from audit.export.jsonl import check_jsonl, jsonl
from audit.kinds import Actor, Kind
from audit.report import Problem
from audit.tables import audit_entry, audit_guard, metadata
from gateway.callers.api_keys import Scope
from gateway.flows.proving import verify
from gateway.parts import Parts
from storage.database import Database
from storage.ids import named
from tests.support.apps import App
from tests.support.hostile import SOME_OR_ALL, attack, drop_constraints, hostile_to, prepared_anew

DATA = metadata.sorted_tables
TABLES = [*DATA, audit_guard]


@dataclass
class Scene:
    """A gateway with a row in every table of the log, and the tables as they were."""

    app: App
    event: str  # one that is published
    key: dict[str, str]

    def place(self, table: Table) -> Database:
        return self.app.parts.guard if table is audit_guard else self.app.parts.data

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
    key = await app.key(Scope.AUDIT_READ)
    async with parts.data.begin() as connection:
        await parts.log.stage(connection, events(parts, 300, await parts.clock.now(connection)))
    await app.tick()
    async with parts.data.begin() as connection:
        (first,) = await parts.log.events(connection, limit=1)
        await parts.log.stage(connection, events(parts, 3, await parts.clock.now(connection)))
    made = Scene(app, named("evt", first.entry.eid), key)
    for table in TABLES:
        async with made.place(table).begin() as connection:
            await drop_constraints(connection, table)
            kept = f"CREATE TABLE kept_{table.name} AS SELECT * FROM {table.name}"
            await connection.execute(text(kept))
            count = text(f"SELECT count(*) FROM {table.name}")
            assert (await connection.execute(count)).scalar_one() > 0, f"nothing in {table.name}"
    await prepared_anew(parts)
    yield made


def events(parts: Parts, count: int, now: datetime) -> list[Draft]:
    made = (Event(Kind.TEXT_PUBLISHED, Actor.SYSTEM, now) for _ in range(count))
    return [draft(one, None, parts.log.node) for one in made]


# All of one takes half a minute or more: of those that are asked always one is of each store.
_ALWAYS = ("audit_guard", "audit_payload")
SOME = [one if one.name in _ALWAYS else pytest.param(one, marks=pytest.mark.long) for one in TABLES]


# Columns of PostgreSQL keep their types, so that less can be done to them: it is asked seldom.
@pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
@pytest.mark.parametrize("table", SOME, ids=lambda one: one.name)
@SOME_OR_ALL
async def test_whatever_stands_in_a_column_of_the_log_is_named_and_stops_nobody(
    scene: Scene, table: Table, dialect: str, each: int
) -> None:
    assert (await verify.verify(scene.app.parts)).ok
    key = scene.key
    for column, name, value, odd in hostile_to(table, dialect, None, each):
        what = f"{table.name}.{column.name}: {name}"
        async with scene.place(table).begin() as connection:
            done = await connection.execute(text(attack(column, dialect, value)))
            assert done.rowcount == 1

        verdict = await verify.verify(scene.app.parts)
        exported = await export_and_check(scene)
        await ask_everything(scene, key, what)
        await run_duties(scene)
        await scene.put_back()

        assert not verdict.ok, what
        named = [one.text for one in verdict.report.findings if one.problem is Problem.MALFORMED]
        assert not odd or [one for one in named if one.startswith(f"{table.name} ")], what
        assert table is not audit_entry or column.name != "entry" or not exported, what
    assert (await verify.verify(scene.app.parts)).ok


async def export_and_check(scene: Scene) -> bool:
    parts = scene.app.parts
    verifier = parts.publisher.verifier
    raw = b"".join([part async for part in jsonl(parts.data, parts.log, verifier)])
    return check_jsonl(raw.splitlines(keepends=True), verifier).ok


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
