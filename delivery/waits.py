"""What mail waits for, for the operator: numbers, reply codes and words of ours alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outbox import IS_WAITING, Status
from delivery.outcome import Kind

outbox, worker, attempt, campaign = tables.outbox, tables.worker, tables.attempt, tables.campaign

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
    """What waits at *now*; *asks* is the occasion of mails that ask to confirm."""
    is_due = and_(IS_WAITING, outbox.c.kind.in_(list(Kind)), outbox.c.due_at <= now)
    due = select(func.count(), func.min(outbox.c.due_at)).where(is_due)
    number, since = (await connection.execute(due)).one()
    deferred = and_(IS_WAITING, outbox.c.status == Status.DEFERRED, outbox.c.due_at > now)
    reasons = select(outbox.c.reason, func.count()).where(deferred).group_by(outbox.c.reason)
    asking = and_(IS_WAITING, outbox.c.due_at > now, outbox.c.occasion == asks)
    running = worker.c.lease_until > now
    stopped = and_(campaign.c.ended_at.is_(None), campaign.c.state == Status.PAUSED)
    return Waits(
        due=number,
        due_since=since,
        later={reason or "": n for reason, n in await connection.execute(reasons)},
        asking=await _count(connection, select(func.count()).where(asking)),
        replies=await _replies(connection),
        workers=await _count(connection, select(func.count()).where(running)),
        paused=await _count(connection, select(func.count()).where(stopped)),
    )


async def _count(connection: AsyncConnection, query: Select[Any]) -> int:
    return int((await connection.execute(query)).scalar_one())


async def _replies(connection: AsyncConnection) -> Mapping[str, int]:
    """The codes by which some of what was put off was put off last, the most frequent first."""
    put_off = and_(IS_WAITING, outbox.c.status == Status.DEFERRED, outbox.c.reason.is_(None))
    last = and_(attempt.c.message == outbox.c.id, attempt.c.n == outbox.c.attempt)
    query = select(attempt.c.code, attempt.c.enhanced).select_from(outbox).join(attempt, last)
    query = query.where(put_off).limit(_SAMPLE)
    said = Counter(_code(*row) for row in await connection.execute(query))
    return dict(said.most_common())


def _code(code: object, enhanced: object) -> str:
    """A reply as a server gives it; empty for a connection that was lost before one came."""
    if not isinstance(code, int) or not 400 <= code < 600:
        return ""
    told = enhanced if isinstance(enhanced, str) and _ENHANCED.fullmatch(enhanced) else ""
    return f"{code} {told}".strip()
