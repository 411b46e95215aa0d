"""How delivery stands, for the operator: numbers, our own ids, moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outbox import IS_WAITING, Status
from delivery.outcome import Kind

outbox = tables.outbox
worker = tables.worker


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker and its lease."""

    id: str
    lease_until: datetime
    messages: int


async def ended_since(connection: AsyncConnection, since: datetime) -> Mapping[str, int]:
    """How many messages ended after *since*, by status."""
    query = select(outbox.c.status, func.count()).where(outbox.c.ended_at > since)
    rows = await connection.execute(query.group_by(outbox.c.status))
    return {status: number for status, number in rows}


async def accepted_until(connection: AsyncConnection, until: datetime) -> int:
    """How many messages of those that are kept were accepted by then. Goes through all of them."""
    query = select(func.count()).where(outbox.c.created_at <= until)
    number: int = (await connection.execute(query)).scalar_one()
    return number


async def oldest_due(connection: AsyncConnection, now: datetime) -> datetime | None:
    """Since when the longest-waiting message is due; None when nothing is."""
    query = select(func.min(outbox.c.due_at)).where(
        IS_WAITING, outbox.c.kind.in_(list(Kind)), outbox.c.due_at <= now
    )
    moment: datetime | None = (await connection.execute(query)).scalar_one()
    return moment


async def workers(connection: AsyncConnection) -> Sequence[WorkerSeen]:
    """Every worker that has a lease, running or not, and how many messages it holds."""
    holds = and_(outbox.c.owner == worker.c.id, outbox.c.status == Status.SENDING)
    query = (
        select(worker.c.id, worker.c.lease_until, func.count(outbox.c.id).label("messages"))
        .outerjoin(outbox, holds)
        .group_by(worker.c.id, worker.c.lease_until)
        .order_by(worker.c.id)
    )
    rows = await connection.execute(query)
    return [WorkerSeen(row.id, row.lease_until, row.messages) for row in rows]
