"""Promise 5 beside a million other people: an erasure is the same work as beside a few."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from storage.database import Database
from tests.promises.test_erased_is_erased import BOB, NOTHING_KEPT, erase
from tests.support.apps import ADA, App, open_app
from tests.support.calls import queue
from tests.support.databases import Databases
from tests.support.multiplied import multiply

CARL = "carl@example.org"
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

        await multiply(app, bob, 1, 10_000)
        few, _ = await _work_of_erasing(app, ADA)
        await multiply(app, bob, 10_001, 1_000_000)
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
