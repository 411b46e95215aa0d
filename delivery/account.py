"""What the rows of delivery say of messages, for whoever compares them with the log.

Nothing here is asked for a mail: whole tables are read, page by page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import attempts, tables
from delivery.attempts import Attempts
from delivery.outbox import FINAL, Message, Status, message_of
from delivery.outcome import Kind
from delivery.permits import LAPSED, OPEN, SPENT
from storage import paging
from storage.types import among

outbox, content = tables.outbox, tables.content


@dataclass(frozen=True, slots=True)
class Account:
    """A message and what else there is of it."""

    message: Message
    attempts: Attempts
    status: str  # as it is stored
    has_content: bool  # or needs none any more
    is_running: bool  # its last attempt was begun, and has no end


async def after(connection: AsyncConnection, last: str | None, limit: int) -> list[Account]:
    """The next messages by id; use a snapshot."""
    there = exists().where(content.c.id == outbox.c.content).label("there")
    begun = tables.attempt.c
    last_one = (begun.message == outbox.c.id) & (begun.n == outbox.c.attempt)
    running = exists().where(last_one, begun.outcome.is_(None)).label("running")
    query = paging.by_name(select(outbox, there, running), outbox.c.id, last, limit)
    rows = (await connection.execute(query)).all()
    known = await attempts.so_far(connection, [row.id for row in rows])
    return [
        Account(
            message=message_of(row),
            attempts=known.get(row.id, Attempts()),
            status=row.status,
            has_content=row.content is None or bool(row.there),
            is_running=bool(row.running),
        )
        for row in rows
    ]


def doubt(one: Account) -> str | None:
    """What in the rows of a message cannot be of our making; None: nothing.

    A row may have been set back as a whole: then its attempts and permits, which
    are rows of their own, do not fit it any more.
    """
    message, known = one.message, one.attempts
    if one.status != message.status:
        return "its status is none that there is"
    if not one.has_content:
        return f"its content {message.content} is gone"
    if known.permits != message.attempt:
        return "its attempts are not those of its permits"
    if known.sent != (message.status is Status.SENT):
        return "it says otherwise than its attempts whether it was sent"
    if known.over and message.status not in FINAL:
        return "an attempt ended it, and it goes on"
    if message.status is Status.SENDING and not one.is_running:
        return "it is said to be under way, and no attempt of it is"
    waits = message.status not in FINAL and message.status is not Status.SENDING
    may_have_been = known.open is not None and not known.forgiven(message)
    if waits and may_have_been and message.kind is Kind.MARKETING:
        return "it may have been sent, and waits again"
    return None


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows there are of some messages."""

    status: Mapping[str, str]  # of each message that is there
    permits: Collection[tuple[str, int]]  # message and attempt
    outcomes: Mapping[tuple[str, int], str | None]
    again: Mapping[str, int] = field(default_factory=dict)  # up to which attempt, asked for again


async def of_messages(connection: AsyncConnection, messages: Collection[str]) -> Rows:
    """The rows of these messages; use a snapshot."""
    permit, attempt = tables.permit, tables.attempt
    stands = select(outbox.c.id, outbox.c.status, outbox.c.again)
    stands = stands.where(among(outbox.c.id, messages))
    granted = select(permit.c.message, permit.c.attempt).where(among(permit.c.message, messages))
    begun = select(attempt.c.message, attempt.c.n, attempt.c.outcome)
    begun = begun.where(among(attempt.c.message, messages))
    rows = (await connection.execute(stands)).all()
    return Rows(
        status={row.id: row.status for row in rows},
        again={row.id: row.again for row in rows if isinstance(row.again, int)},
        permits={(name, n) for name, n in await connection.execute(granted)},
        outcomes={(name, n): outcome for name, n, outcome in await connection.execute(begun)},
    )


async def orphans(connection: AsyncConnection, limit: int) -> list[str]:
    """Contents and attempts of no message, by table and key: we write and delete them together."""
    attempt = tables.attempt
    unused = select(content.c.id).where(
        ~exists().where(outbox.c.content == content.c.id),
        ~exists().where(tables.campaign.c.content == content.c.id),
    )
    left = select(attempt.c.message, attempt.c.n)
    left = left.where(~exists().where(outbox.c.id == attempt.c.message))
    found = [f"content {name}" for (name,) in await connection.execute(unused.limit(limit))]
    rows = await connection.execute(left.limit(limit))
    return found + [f"attempt {message}/{n}" for message, n in rows]


async def ended(
    connection: AsyncConnection, pairs: Collection[tuple[str, bytes]]
) -> Counter[tuple[str, bytes]]:
    """How many permits can start nothing any more, of each subject and event."""
    permit = tables.permit
    query = select(permit.c.subject, permit.c.eid).where(
        among(permit.c.subject, {subject for subject, _ in pairs}),
        permit.c.eid.in_({eid for _, eid in pairs}),
        permit.c.state.in_((SPENT, LAPSED)),
    )
    return Counter((subject, eid) for subject, eid in await connection.execute(query))


@dataclass(frozen=True, slots=True)
class Granted:
    """For whom a permit counts, and until when it may start a transmission."""

    subject: str
    purpose: str
    for_all: bool
    waits_until: datetime | None  # none: it is spent, or lapsed


async def granted(
    connection: AsyncConnection, messages: Collection[str]
) -> dict[tuple[str, int], Granted]:
    """The permits of these messages, by message and attempt."""
    permit = tables.permit
    query = select(permit).where(among(permit.c.message, messages))
    return {
        (row.message, row.attempt): Granted(
            row.subject,
            row.purpose,
            row.for_all,
            row.expires_at if row.state == OPEN else None,
        )
        for row in await connection.execute(query)
    }
