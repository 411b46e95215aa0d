"""Erasures that somebody asked for: how far each has come, and until when locked evidence stays.

A row names its person by the random id alone. Everything else about them goes, so
it says who asked to be forgotten to nobody but a caller who kept that id. It proves
that the request was answered, and goes by a term of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, delete, exists, func, insert, literal_column, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from storage import paging
from storage.honesty import RowKeys, Value
from storage.locks import delete_free
from storage.signed import SignedTable
from storage.types import among

erasure = tables.erasure
TABLE = erasure.name


class Stage(StrEnum):
    """How far an erasure has come; from the first on nobody mails the person."""

    HELD = "held"  # a hold stands; they are restricted until it ends
    ERASING = "erasing"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One request to be forgotten, and what became of it."""

    id: str
    subject: str
    state: Stage
    channel: str  # how it reached us
    received_at: datetime  # by whoever passed it on; the month of Art. 12(3) GDPR begins then
    asked_at: datetime
    due_at: datetime
    locked_until: datetime | None  # none: nothing stays
    eid: bytes  # the event that put it into its state
    done_at: datetime | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether their row must say that they are being erased: no hold stands, nor is it done."""
        return self.state is Stage.ERASING


def waiting(new: Erasure, eid: bytes) -> Erasure:
    """What was asked for, while a hold stands: what will stay of it is not known yet."""
    return replace(new, state=Stage.HELD, locked_until=None, eid=eid)


def carried_out(held: Erasure, locked_until: datetime | None) -> Erasure:
    """What waited for a hold, as it begins, under its first id and dates."""
    return replace(held, state=Stage.ERASING, locked_until=locked_until)


async def add(connection: AsyncConnection, keys: RowKeys, new: Erasure) -> None:
    """Keep what was asked for, under the person's gate. A person is erased once.

    What somebody planted there is in nobody's way.
    """
    await connection.execute(delete(erasure).where(erasure.c.subject == new.subject))
    await connection.execute(insert(erasure).values(_signed(keys, new)))


async def get(connection: AsyncConnection, keys: RowKeys, erasure_id: str) -> Erasure | None:
    """One erasure; None where no gateway wrote such a row."""
    rows = await connection.execute(select(erasure).where(erasure.c.id == erasure_id))
    return next((one for row in rows if (one := _read(keys, row)) is not None), None)


async def of_subjects(
    connection: AsyncConnection, keys: RowKeys, subjects: Iterable[str]
) -> dict[str, Erasure]:
    """The erasures of these people that a gateway wrote, by subject."""
    query = select(erasure).where(among(erasure.c.subject, subjects))
    rows = [_read(keys, row) for row in await connection.execute(query)]
    return {one.subject: one for one in rows if one is not None}


async def newest_done(connection: AsyncConnection, keys: RowKeys, limit: int) -> list[str]:
    """Whose erasures were done last."""
    query = select(erasure).where(erasure.c.done_at.is_not(None))
    query = query.order_by(erasure.c.done_at.desc())
    return [
        one.subject
        for one in await paging.first(connection, query, limit, lambda row: _read(keys, row))
    ]


async def held_after(
    connection: AsyncConnection, keys: RowKeys, after: str | None, limit: int
) -> tuple[list[str], list[Erasure]]:
    """The next that wait for a hold: all ids, and those rows that a gateway wrote."""
    # Spelled out, as the partial index has it: a parameter would keep it from being used.
    query = select(erasure).where(erasure.c.state == literal_column(f"'{Stage.HELD}'"))
    rows = (await connection.execute(paging.by_name(query, erasure.c.id, after, limit))).all()
    return [row.id for row in rows], [one for row in rows if (one := _read(keys, row)) is not None]


async def finish(
    connection: AsyncConnection, keys: RowKeys, begun: Erasure, eid: bytes, now: datetime
) -> None:
    """Say that it is done, as the event *eid* does."""
    values = _signed(keys, replace(begun, state=Stage.DONE, done_at=now, eid=eid))
    await connection.execute(update(erasure).where(erasure.c.id == begun.id).values(values))


async def purge(connection: AsyncConnection, before: datetime) -> int:
    """Delete what was done up to *before*, counted from the end of what was locked.

    Not while anything of the person is there: without it what is locked would stay for ever.
    """
    ended = func.coalesce(erasure.c.locked_until, erasure.c.done_at)
    there = exists().where(tables.subject.c.id == erasure.c.subject)
    over = and_(erasure.c.done_at <= before, ended <= before, not_(there))
    return await delete_free(connection, erasure, over)


async def under_way(
    connection: AsyncConnection, keys: RowKeys, after: str | None, limit: int
) -> list[tuple[str, Erasure | None]]:
    """The next of those that have begun and are not done; None for one that no gateway wrote."""
    begun = and_(erasure.c.done_at.is_(None), erasure.c.state != Stage.HELD)
    query = select(erasure).where(begun)
    rows = await connection.execute(paging.by_name(query, erasure.c.id, after, limit))
    return [(row.id, _read(keys, row)) for row in rows]


async def standing(connection: AsyncConnection, keys: RowKeys) -> dict[str, Erasure | None]:
    """Every row by its id; None for one that no gateway wrote."""
    return {row.id: _read(keys, row) for row in await connection.execute(select(erasure))}


_COVERED = (
    "id",
    "subject",
    "state",
    "channel",
    "received_at",
    "asked_at",
    "due_at",
    "locked_until",
    "done_at",
    "eid",
)


def _signed(keys: RowKeys, one: Erasure) -> dict[str, object]:
    values = {name: getattr(one, name) for name in _COVERED}
    return values | keys.sign(erasure.name, *values.values())._asdict()


def _granting(row: Any) -> Sequence[Value]:
    return tuple(getattr(row, name) for name in _COVERED)


def _read(keys: RowKeys, row: Any) -> Erasure | None:
    if not SIGNED.fits(keys, row):
        return None
    values = {name: getattr(row, name) for name in _COVERED}
    return Erasure(**{**values, "state": Stage(row.state)})


SIGNED = SignedTable(erasure, select(erasure), _granting)
