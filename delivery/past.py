"""What rows tell of the messages to one person, for that person; nothing here decides anything."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outbox import Message, message_of
from storage.sound import fits
from storage.types import among

outbox, permit, attempt = tables.outbox, tables.permit, tables.attempt


@dataclass(frozen=True, slots=True)
class Use:
    """One permit with what came of it; *reply* is sealed."""

    n: int
    ground_kind: str
    ground_id: str
    decided_at: datetime
    spent_at: datetime | None
    code: int | None
    enhanced: str | None
    outcome: str | None
    reply: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Past:
    """One message with every permit that it had."""

    message: Message
    ended_at: datetime | None
    uses: Sequence[Use]


async def newest(connection: AsyncConnection, subject: str, most: int) -> list[str]:
    """The newest messages to a person, newest first: ids are ordered by time."""
    # No order that an index has: told to stop, a database would go through everybody's by that.
    in_time = (outbox.c.id + "").desc()
    query = select(outbox.c.id).where(outbox.c.subject == subject, fits(outbox.c.id))
    return list((await connection.execute(query.order_by(in_time).limit(most))).scalars())


async def count(connection: AsyncConnection, subject: str) -> int:
    """How many messages to a person there are."""
    query = select(func.count()).where(outbox.c.subject == subject, fits(outbox.c.id))
    return (await connection.execute(query)).scalar_one()


async def read(connection: AsyncConnection, messages: Collection[str]) -> list[Past]:
    """What there is of these messages, newest first; use a snapshot."""
    used = await _uses(connection, messages)
    query = select(outbox).where(among(outbox.c.id, messages))
    rows = (await connection.execute(query)).all()
    return [
        Past(message_of(row), row.ended_at, used.get(row.id, ()))
        for row in sorted(rows, key=lambda row: str(row.id), reverse=True)
    ]


async def _uses(connection: AsyncConnection, messages: Collection[str]) -> dict[str, list[Use]]:
    same = and_(attempt.c.message == permit.c.message, attempt.c.n == permit.c.attempt)
    columns = (attempt.c.code, attempt.c.enhanced, attempt.c.outcome, attempt.c.reply)
    query = select(permit, *columns).outerjoin(attempt, same)
    query = query.where(among(permit.c.message, messages)).order_by(permit.c.attempt)
    found: dict[str, list[Use]] = {}
    for row in await connection.execute(query):
        one = Use(
            n=row.attempt,
            ground_kind=row.ground_kind,
            ground_id=row.ground_id,
            decided_at=row.decided_at,
            spent_at=row.spent_at,
            code=row.code,
            enhanced=row.enhanced,
            outcome=row.outcome,
            reply=row.reply,
        )
        found.setdefault(row.message, []).append(one)
    return found
