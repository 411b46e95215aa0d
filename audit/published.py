"""Checkpoints as they are stored beside the log: only what our key signed is one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import succession
from audit.checkpoints import Checkpoint, Verifier
from audit.errors import NoteError
from audit.tables import audit_checkpoint
from storage.clock import Clock
from storage.database import Database
from storage.sound import sound
from storage.types import upsert

# Rows that are no checkpoints of ours, and how many of them are looked behind: a few that
# somebody planted hide nothing, and a million must not keep whoever asks busy.
_LOOKED_BEHIND = 100


class Stored(NamedTuple):
    """A checkpoint that was published."""

    checkpoint: Checkpoint
    note: str
    published_at: datetime
    place: int  # behind the last entry that it covers


async def newest(
    connection: AsyncConnection,
    verifier: Verifier,
    generation: int | None = None,
    most: int | None = None,
) -> Stored | None:
    """The checkpoint that was published last, by one log of several or any; None: there is none.

    *verifier* is that of the first log; *most* is the size up to which a log that was closed is
    there.
    """
    table = audit_checkpoint
    query = select(table).where(sound(table)).order_by(table.c.size.desc())
    if generation is not None:
        query = query.where(_of(generation))
    if generation is not None and most is not None:
        query = query.where(table.c.size <= succession.base_of(generation) + most)
    return await _first(connection, query, verifier)


async def first_over(connection: AsyncConnection, verifier: Verifier, place: int) -> Stored | None:
    """The smallest checkpoint that covers the entry at *place*; None while there is none."""
    table = audit_checkpoint
    query = select(table).where(sound(table), table.c.size > place).order_by(table.c.size)
    query = query.where(_of(succession.generation_of(place)))
    return await _first(connection, query, verifier)


async def of_size(connection: AsyncConnection, verifier: Verifier, size: int) -> Stored | None:
    """The checkpoint that is stored as that of *size*, with the base of its log."""
    query = select(audit_checkpoint).where(audit_checkpoint.c.size == size)
    return await _first(connection, query.where(sound(audit_checkpoint)), verifier)


def _of(generation: int) -> ColumnElement[bool]:
    """The rows of one log: each stands by the place behind the last entry that it covers."""
    base = succession.base_of(generation)
    return audit_checkpoint.c.size.between(base, base + succession.STRIDE - 1)


async def store(
    data: Database, notes: Sequence[tuple[Checkpoint, str]], clock: Clock, base: int = 0
) -> None:
    """Store published notes of the log from *base* on.

    Another node may have: the guard lets only one be for a size.
    """
    if not notes:
        return
    async with data.begin() as connection:
        now = await clock.now(connection)
        rows = [{"size": base + one.size, "note": text, "published_at": now} for one, text in notes]
        statement = upsert(connection, audit_checkpoint).values(rows)
        await connection.execute(statement.on_conflict_do_nothing())


async def _first(
    connection: AsyncConnection, query: Select[Any], verifier: Verifier
) -> Stored | None:
    for limit in (1, _LOOKED_BEHIND):
        for row in await connection.execute(query.limit(limit)):
            stored = _read(row, verifier)
            if stored is not None:
                return stored
    return None


def _read(row: Any, verifier: Verifier) -> Stored | None:
    try:
        checkpoint = verifier.of(succession.generation_of(row.size)).checkpoint(row.note)
    except NoteError:
        return None
    fits = checkpoint.size == succession.index_of(row.size)
    return Stored(checkpoint, row.note, row.published_at, row.size) if fits else None
