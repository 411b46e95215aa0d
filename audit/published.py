"""Checkpoints as they are stored beside the log: only what our key signed is one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import succession
from audit.checkpoints import Checkpoint, Verifier
from audit.errors import NoteError
from audit.tables import audit_checkpoint
from storage import straight
from storage.clock import Clock
from storage.database import Database
from storage.sound import sound
from storage.writing import insert_all

# Rows that are no checkpoints of ours, and how many of them are looked behind: a few that
# somebody planted hide nothing, and a million must not keep whoever asks busy.
_LOOKED_BEHIND = 100
_ANY = (1 << 63) - 1  # no place is larger

# Made once, for the publisher asks twice a second.
_BETWEEN = (
    select(audit_checkpoint)
    .where(
        audit_checkpoint.c.size.between(
            bindparam("first", type_=BigInteger), bindparam("last", type_=BigInteger)
        ),
        sound(audit_checkpoint),
    )
    .limit(bindparam("most", type_=Integer))
)
_DOWNWARDS = _BETWEEN.order_by(audit_checkpoint.c.size.desc())
_UPWARDS = _BETWEEN.order_by(audit_checkpoint.c.size)


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
    first, last = (0, _ANY) if generation is None else _of(generation)
    if generation is not None and most is not None:
        last = min(last, first + most)
    return await _first(connection, _DOWNWARDS, first, last, verifier)


async def first_over(connection: AsyncConnection, verifier: Verifier, place: int) -> Stored | None:
    """The smallest checkpoint that covers the entry at *place*; None while there is none."""
    _, last = _of(succession.generation_of(place))
    return await _first(connection, _UPWARDS, place + 1, last, verifier)


async def of_size(connection: AsyncConnection, verifier: Verifier, size: int) -> Stored | None:
    """The checkpoint that is stored as that of *size*, with the base of its log."""
    return await _first(connection, _UPWARDS, size, size, verifier)


def _of(generation: int) -> tuple[int, int]:
    """Where the rows of one log stand: by the place behind the last entry that each covers."""
    base = succession.base_of(generation)
    return base, base + succession.STRIDE - 1


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
        await insert_all(connection, audit_checkpoint, rows, new_only=True)


async def _first(
    connection: AsyncConnection, query: Select[Any], first: int, last: int, verifier: Verifier
) -> Stored | None:
    for limit in (1, _LOOKED_BEHIND):
        asked = {"first": first, "last": last, "most": limit}
        for row in await straight.rows(connection, query, asked):
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
