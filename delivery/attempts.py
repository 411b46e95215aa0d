"""The attempts of a message: one row for each transmission that was begun.

A row is opened with its lease (`outbox.lease`), so a crash leaves one without an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outbox import Message
from delivery.outcome import Kind, Outcome
from delivery.permits import SPENT
from storage import straight
from storage.types import among, texts
from storage.writing import update_all

permit = tables.permit

ABORTED = "aborted"  # outcome of an attempt: its worker ended before the final dot

_GOES_ON, _OVER, _SENT = range(3)  # what the attempts of a message came to
_ENDS = [Outcome.SENT.value, Outcome.BOUNCED.value, Outcome.FAILED.value]


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
    """Write how these ended, all of them at once."""
    rows = [
        {
            "message": end.message,
            "n": end.n,
            "ended_at": now,
            "code": end.code,
            "enhanced": end.enhanced,
            "outcome": end.outcome,
            "reply": end.reply,
        }
        for end in ends
    ]
    await update_all(connection, tables.attempt, rows)


async def drop(connection: AsyncConnection, attempts: Iterable[tuple[str, int]]) -> None:
    """Forget attempts whose MAIL was never written: they were none."""
    table = tables.attempt
    keys = list(attempts)
    if keys:
        await connection.execute(delete(table).where(tuple_(table.c.message, table.c.n).in_(keys)))


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a message was permitted, and what became of it then."""

    permits: int = 0
    sent: bool = False
    over: bool = False  # one of these attempts ended the message: it was sent, or will not be
    open: int | None = None  # the last that may have sent it: its end is uncertain, or not told
    numbered: bool = True  # they are the first, the second and so on

    def allow(self, message: Message) -> bool:
        """Whether the attempt after this one may be begun.

        What may have been sent is not sent again by itself, except for service mails: a
        confirmation that comes twice does less harm than one that never comes.
        """
        closed = message.kind is Kind.SERVICE or self.open is None or self.forgiven(message)
        return self.permits == message.attempt and not self.over and closed

    def forgiven(self, message: Message) -> bool:
        """Whether somebody asked that it be sent again, knowing that it may have been."""
        asked = message.again is not None and self.open is not None and self.open <= message.again
        return asked and self.numbered


async def so_far(connection: AsyncConnection, messages: Sequence[str]) -> dict[str, Attempts]:
    """What is known of each message's attempts; one that was never permitted is missing.

    A claim grants attempt n+1 only where there are n permits and none that ended the message
    or may have: whoever sets a row back to an earlier state does not set these back.
    """
    if not messages:
        return {}
    rows = await straight.rows(connection, _counting(), {"messages": messages})
    return {
        message: Attempts(count, end == _SENT, end != _GOES_ON, last, (low, high) == (1, count))
        for message, count, end, last, low, high in rows
    }


@cache
def _counting() -> Select[Any]:
    attempt = tables.attempt
    ends = case((attempt.c.outcome == Outcome.SENT.value, _SENT), else_=_OVER)
    end = select(func.max(ends)).where(
        attempt.c.message == permit.c.message, attempt.c.outcome.in_(_ENDS)
    )
    told = exists().where(
        attempt.c.message == permit.c.message,
        attempt.c.n == permit.c.attempt,
        attempt.c.outcome != Outcome.UNCERTAIN.value,
    )
    untold = and_(permit.c.state == SPENT, ~told)
    number = permit.c.attempt
    last = func.max(case((untold, number)))
    range_of = (func.min(number), func.max(number))
    query = select(permit.c.message, func.count(), func.max(_number(end)), last, *range_of)
    return query.where(among(permit.c.message, texts("messages"))).group_by(permit.c.message)


def _number(query: Select[tuple[int]]) -> ColumnElement[int]:
    return func.coalesce(query.scalar_subquery(), _GOES_ON)
