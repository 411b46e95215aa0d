"""What mail waits for, for the operator: numbers, reply codes and words of ours alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outbox import IS_WAITING, Status
from delivery.outcome import Kind

outbox, worker, attempt, campaign = tables.outbox, tables.worker, tables.attempt, tables.campaign

MOST: Final = 10_000
_COLUMNS: Final = ("id", "attempt", "status", "reason", "occasion", "due_at")
_SAMPLE: Final = 200  # mails that were put off, whose last replies are looked at
_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Waits:
    """One look at the queue."""

    due: int = 0  # could go now
    due_since: datetime | None = None
    later: Mapping[str, int] = field(default_factory=dict)  # by why; empty where none is named
    asking: int = 0  # confirmation mails whose turn is later
    replies: Mapping[str, int] = field(default_factory=dict)  # the last ones to what was put off
    workers: int = 0  # whose lease runs
    paused: int = 0  # campaigns


async def look(connection: AsyncConnection, now: datetime, asks: str) -> Waits:
    """What waits at *now*, of the first `MOST` of each kind; *asks*: mails that ask to confirm.

    Every process looks again and again: it may not cost more where a million mails are queued.
    """
    due, coming = _first(outbox.c.due_at <= now), _first(outbox.c.due_at > now)
    found = select(func.count(), func.min(due.c.due_at)).select_from(due)
    number, since = (await connection.execute(found)).one()
    put_off = coming.c.status == Status.DEFERRED
    reasons = select(coming.c.reason, func.count()).where(put_off).group_by(coming.c.reason)
    asking = select(func.count()).select_from(coming).where(coming.c.occasion == asks)
    running = select(func.count()).where(worker.c.lease_until > now)
    stopped = and_(campaign.c.ended_at.is_(None), campaign.c.state == Status.PAUSED)
    return Waits(
        due=number,
        due_since=since,
        later={reason or "": n for reason, n in await connection.execute(reasons)},
        asking=await _count(connection, asking),
        replies=await _replies(connection, coming),
        workers=await _count(connection, running),
        paused=await _count(connection, select(func.count()).where(stopped)),
    )


def _first(when: ColumnElement[bool]) -> Subquery:
    """Of each kind those that are due first, by the index of who waits."""
    columns = [outbox.c[name] for name in _COLUMNS]
    of_each = [
        select(*columns)
        .where(IS_WAITING, outbox.c.kind == kind, when)
        .order_by(outbox.c.due_at)
        .limit(MOST)
        .subquery()
        for kind in Kind
    ]
    return union_all(*map(select, of_each)).subquery()


async def _count(connection: AsyncConnection, query: Select[Any]) -> int:
    return int((await connection.execute(query)).scalar_one())


async def _replies(connection: AsyncConnection, coming: Subquery) -> Mapping[str, int]:
    """The codes by which some of what was put off was put off last, the most frequent first."""
    put_off = and_(coming.c.status == Status.DEFERRED, coming.c.reason.is_(None))
    last = and_(attempt.c.message == coming.c.id, attempt.c.n == coming.c.attempt)
    query = select(attempt.c.code, attempt.c.enhanced).select_from(coming).join(attempt, last)
    query = query.where(put_off).limit(_SAMPLE)
    said = Counter(_code(*row) for row in await connection.execute(query))
    return dict(said.most_common())


def _code(code: object, enhanced: object) -> str:
    """A reply as a server gives it; empty for a connection that was lost before one came."""
    if not isinstance(code, int) or not 400 <= code < 600:
        return ""
    told = enhanced if isinstance(enhanced, str) and _ENHANCED.fullmatch(enhanced) else ""
    return f"{code} {told}".strip()
