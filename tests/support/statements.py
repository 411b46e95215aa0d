"""Every SQL statement of the process, as it is executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from storage.database import Database


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every SQL statement of the process, in order."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def engine_of(database: Database) -> Engine:
    """By which a database is written to."""
    return database._writers._engine.sync_engine


def engines_of(database: Database) -> set[Engine]:
    """By which it is written to and read; with PostgreSQL they are one."""
    return {one._engine.sync_engine for one in (database._writers, database._readers)}
