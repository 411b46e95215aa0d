"""The desk beside a million people and ten million events on PostgreSQL: whom one looks up, the
whole story of them, and what a breach of everything reached."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event as listening
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.figures import Figure, tell
from benchmarks.gateway import durable_postgres
from consent import address
from consent.deadlines import Calendar
from gateway.callers.operators import Role
from gateway.flows.breaches.assessing import Breaches, Question
from gateway.flows.breaches.readable import Store, Taken
from gateway.flows.desk.staff import Entered
from tests.support.apps import ADA, App, open_app, staff_of
from tests.support.calls import queue
from tests.support.databases import Databases
from tests.support.multiplied import multiply
from tests.support.statements import engines_of

PEOPLE: Final = 1_000_000
EVENTS: Final = 10_000_000
ROUNDS: Final = 9
_BOB: Final = "bob@example.org"
_DPO: Final = "privacy@acme.example"
_AT_ONCE: Final = 200_000
_FIRST: Final = 1_000_000_000  # places behind all that are ever given here
# A copy of an event under another place and name; no gateway wrote it, and nobody asks for it.
_COPY: Final = """
INSERT INTO audit_entry (leaf_index, eid, kind, at, entry, leaf_hash, mac, kid)
SELECT :first + n, substring(sha256(convert_to((:first + n)::text, 'UTF8')) FROM 1 FOR 16),
       kind, at, entry, leaf_hash, mac, kid
FROM (SELECT * FROM audit_entry WHERE kind = 'consent.confirmed' LIMIT 1) AS one,
     generate_series(1, :number) AS n"""
_CONSTRAINTS: Final = """
SELECT format('ALTER TABLE audit_entry DROP CONSTRAINT %I', conname),
       format('ALTER TABLE audit_entry ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE conrelid = 'audit_entry'::regclass AND contype = 'u'"""
_INDEXES: Final = """
SELECT format('DROP INDEX %I', indexname), indexdef FROM pg_indexes
WHERE tablename = 'audit_entry' AND indexname NOT IN
      (SELECT conname FROM pg_constraint WHERE conrelid = 'audit_entry'::regclass)"""
_LARGE: Final = ("subject", "subject_index", "consent", "outbox", "audit_entry", "audit_payload")


def run(people: int = PEOPLE, events: int = EVENTS) -> None:
    """The gateway and PostgreSQL on both cores, as on a machine that does both."""
    with durable_postgres() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "gateway"  # what it is copied from lies beside it
        folder.mkdir()
        asyncio.run(_measured(folder, Databases(lambda: server, folder), people, events))


async def _measured(folder: Path, made: Databases, people: int, events: int) -> None:
    async with open_app(folder, made, "postgresql") as app:
        for one in (ADA, _BOB):
            await app.subscribe(one)
            await queue(app, one, text="Hello.")
        await app.deliver()
        bob, begun = await app.subject(_BOB), time.perf_counter()
        assert bob is not None
        await multiply(app, bob, 1, people)
        copied = time.perf_counter()
        await _more_events(app, events)
        filled = time.perf_counter()
        sys.stdout.write(f"{people:,} people made in {copied - begun:,.0f} s\n")
        sys.stdout.write(f"{events:,} events made in {filled - copied:,.0f} s\n")
        sys.stdout.flush()
        await _asked(app)
        await _breached(app)


async def _more_events(app: App, number: int) -> None:
    """Without the indexes of their table, which are made again once it is full."""
    async with app.parts.data.begin() as connection:
        away = [await _texts(connection, one) for one in (_CONSTRAINTS, _INDEXES)]
        for drop, _ in (*away[0], *away[1]):
            await connection.execute(text(drop))
    for first in range(0, number, _AT_ONCE):
        async with app.parts.data.begin() as connection:
            values = {"first": _FIRST + first, "number": min(_AT_ONCE, number - first)}
            await connection.execute(text(_COPY), values)
    for _, make in (*away[0], *away[1]):
        async with app.parts.data.begin() as connection:  # each may take half a minute
            await connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
            await connection.execute(text(make))
    async with app.parts.data.begin() as connection:
        await connection.execute(text("ANALYZE"))


async def _texts(connection: AsyncConnection, query: str) -> Sequence[tuple[str, str]]:
    """How each index goes, and how it is made again."""
    return [(str(drop), str(make)) for drop, make in await connection.execute(text(query))]


async def _asked(app: App) -> None:
    """As a browser asks, with the event that tells of each look."""
    done = await staff_of(app.parts).enter(address.parse(_DPO), Role.DPO, None)
    assert isinstance(done, Entered)
    entered = await app.http.post(f"/dpo/link/{done.token}", allow_redirects=False)
    cookie = {"Cookie": entered.headers["Set-Cookie"].partition(";")[0]}
    start = await (await app.http.get("/dpo/", headers=cookie)).text()
    found = re.search(r'name="csrf" value="([^"]+)"', start)
    assert found is not None
    csrf, subject = found[1], await app.subject() or ""

    async def post(path: str, **fields: str) -> None:
        answer = await app.http.post(path, data={"csrf": csrf} | fields, headers=cookie)
        assert answer.status == 200, answer.status
        await answer.read()

    nobody = {"email": "nobody@example.org", "why": "figures"}
    asked: dict[str, Callable[[], Awaitable[None]]] = {
        "somebody looked up, with their story": lambda: post(
            "/dpo/people", email=ADA, why="figures"
        ),
        "nobody looked up": lambda: post("/dpo/people", **nobody),
        "the story again": lambda: post("/dpo/person", subject=subject, why="figures"),
    }
    for name, ask in asked.items():
        whole = await _plans(app, ask)
        tell(Figure(name, "ms", [await _timed(ask) * 1000 for _ in range(ROUNDS)]))
        sys.stdout.write(f"{'  large tables that are read whole':<58} {whole or 'none'}\n")


async def _breached(app: App) -> None:
    parts = app.parts
    stores = (parts.data, parts.key_database, parts.rows, parts.log, parts.clock)
    breaches, now = Breaches(*stores, Calendar(), guard_apart=False), parts.clock.wall()
    since = now - timedelta(days=30)
    taken = [Taken(one, since, now) for one in Store]

    async def assess() -> None:
        await breaches.assess(Question(taken, since, now, now, "FIGURES-1"))

    tell(Figure("a breach of everything", "s", [await _timed(assess) for _ in range(3)]))


async def _timed(ask: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await ask()
    return time.perf_counter() - begun


async def _plans(app: App, ask: Callable[[], Awaitable[None]]) -> Sequence[str]:
    """The large tables that an answer reads whole, by the plans of its statements."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            asked.append((statement, parameters))

    engines = engines_of(app.parts.data)
    for engine in engines:
        listening.listen(engine, "before_cursor_execute", note)
    await ask()
    for engine in engines:
        listening.remove(engine, "before_cursor_execute", note)
    found = set()
    async with app.parts.data.read() as connection:
        for statement, parameters in asked:
            plan = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            lines = [str(row[-1]) for row in plan]
            found |= {
                name for name in _LARGE if any(f"Seq Scan on {name} " in one for one in lines)
            }
    return sorted(found)
