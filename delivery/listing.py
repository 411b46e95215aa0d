"""The messages of a time as whoever answers for them sees them: none says to whom it goes.

Their ids are ordered by time: a time is a stretch of the primary key, and nothing beyond it is
read, whatever else is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outbox import Message, message_of
from storage import paging
from storage.ids import first_id
from storage.sound import readable

outbox = tables.outbox


@dataclass(frozen=True, slots=True)
class Wanted:
    """Those accepted from *since* up to, not including, *until*; before the message *before*."""

    since: datetime
    until: datetime
    purpose: str | None = None
    status: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many of a purpose, marketing or service, stand so, for one reason."""

    kind: str
    purpose: str
    status: str
    reason: str | None
    messages: int


@dataclass(frozen=True, slots=True)
class Listed:
    """One message, and when it was accepted and ended."""

    message: Message
    created_at: datetime
    ended_at: datetime | None


async def count(connection: AsyncConnection, wanted: Wanted) -> list[Count]:
    """What became of those of a time, whatever page of them is asked for."""
    by = (outbox.c.kind, outbox.c.purpose, outbox.c.status, outbox.c.reason)
    query = _within(select(*by, func.count().label("messages")), wanted)
    rows = await connection.execute(query.group_by(*by).order_by(*by[:3], func.count().desc()))
    return [Count(*row) for row in rows]


async def page(connection: AsyncConnection, wanted: Wanted, limit: int) -> Sequence[Listed]:
    """The next of them, newest first."""
    query = _within(select(outbox), wanted, wanted.before)
    rows = await connection.execute(query.order_by(outbox.c.id.desc()).limit(limit))
    return [_listed(row) for row in rows]


def _listed(row: Any) -> Listed:
    read = readable(row, outbox)
    return Listed(message_of(row), read.created_at, read.ended_at)


def _within(query: Select[Any], wanted: Wanted, before: str | None = None) -> Select[Any]:
    first, last = (first_id("msg", at) for at in (wanted.since, wanted.until))
    end = last if before is None else min(last, before)
    query = paging.between(query, outbox.c.id, first, end)
    if wanted.purpose is not None:
        query = query.where(outbox.c.purpose == wanted.purpose)
    if wanted.status is not None:
        query = query.where(outbox.c.status == wanted.status)
    return query
