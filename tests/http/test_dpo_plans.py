"""The desk stays quick among many: looking a person up and their story read no table whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.http.test_dpo import enter_all, sit
from tests.support.apps import ADA, open_app
from tests.support.calls import queue
from tests.support.databases import Databases

# As many rows as wordings, as a keyring has keys of a kind, as wait for a place, or were asked for.
_FEW = (
    "consent_text",
    "live_key",
    "json_each",
    "(subquery",
    "CONSTANT ROW",
    "audit_pending",
    "audit_state",
)


async def test_neither_looking_a_person_up_nor_their_story_reads_a_table_whole(
    tmp_path: Path, new_database_url: Databases
) -> None:
    async with open_app(tmp_path, new_database_url, "sqlite") as app:
        await enter_all(app)
        await app.subscribe()
        await queue(app, text="Hello.")
        await app.deliver()
        sitting, subject = await sit(app), await app.subject() or ""
        await app.tick()
        executed: list[tuple[str, Any]] = []

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if statement.lstrip().startswith("SELECT"):
                executed.append((statement, parameters))

        event.listen(Engine, "before_cursor_execute", note)
        await sitting.person(ADA)
        assert (await sitting.post("/dpo/person", subject=subject, why="why")).status == 200
        event.remove(Engine, "before_cursor_execute", note)

        scans = set()
        async with app.parts.data.read() as connection, app.parts.key_database.read() as keys:
            for statement, parameters in executed:
                of = keys if _is_of_keys(statement) else connection
                plan = f"EXPLAIN QUERY PLAN {statement}"
                rows = await of.exec_driver_sql(plan, parameters)
                scans |= {str(one["detail"]) for one in rows.mappings()}

    whole = {one for one in scans if one.startswith("SCAN")}
    assert len(executed) > 20
    assert {one for one in whole if not any(f" {few}" in one for few in _FEW)} == set()


def _is_of_keys(statement: str) -> bool:
    tables = ("dek", "kek_epoch", "erasure_ledger", "own_session", "set_key", "node", "content_key")
    return any(f"FROM {name}" in statement for name in tables)
