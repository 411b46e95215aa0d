"""The attempts of a message: one row for each transmission that was begun.

A row is opened with its lease (`outbox.lease`), so a crash leaves one without an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables

ABORTED = "aborted"  # outcome of an attempt: its worker ended before the final dot

# Made once: making a statement takes longer than executing it.
_END = (
    update(tables.attempt)
    .where(tables.attempt.c.message == bindparam("of"), tables.attempt.c.n == bindparam("number"))
    .values(
        ended_at=bindparam("at"),
        code=bindparam("with_code"),
        enhanced=bindparam("with_enhanced"),
        outcome=bindparam("as_outcome"),
        reply=bindparam("sealed"),
    )
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One transmission as the API shows it."""

    n: int
    started_at: datetime
    ended_at: datetime | None
    code: int | None
    outcome: str | None


async def of_message(connection: AsyncConnection, message_id: str) -> list[Attempt]:
    table = tables.attempt
    query = select(table).where(table.c.message == message_id).order_by(table.c.n)
    return [
        Attempt(row.n, row.started_at, row.ended_at, row.code, row.outcome)
        for row in await connection.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How one transmission ended; *reply* is sealed."""

    message: str
    n: int
    code: int | None
    enhanced: str | None
    outcome: str
    reply: bytes | None


async def end(connection: AsyncConnection, ends: Sequence[AttemptEnd], now: datetime) -> None:
    if not ends:
        return
    rows = [
        {
            "of": end.message,
            "number": end.n,
            "at": now,
            "with_code": end.code,
            "with_enhanced": end.enhanced,
            "as_outcome": end.outcome,
            "sealed": end.reply,
        }
        for end in ends
    ]
    await connection.execute(_END, rows)


async def drop(connection: AsyncConnection, attempts: Iterable[tuple[str, int]]) -> None:
    """Forget attempts whose MAIL was never written: they were none."""
    table = tables.attempt
    keys = list(attempts)
    if keys:
        await connection.execute(delete(table).where(tuple_(table.c.message, table.c.n).in_(keys)))
