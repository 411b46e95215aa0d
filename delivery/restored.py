"""Messages of a restored backup that had not ended: what became of them since nobody can tell."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery.outbox import IS_WAITING, Message, Status, message_of, outbox
from delivery.outcome import Kind
from storage import paging

RESTORED = "restored"  # the reason that they end with


async def look(
    connection: AsyncConnection, now: datetime, after: str | None, limit: int
) -> list[Message]:
    """The next that may have been sent since, not locked: all but marketing of a time to come.

    Of a campaign all: what stood still may have gone on.
    """
    of_campaign = outbox.c.campaign.is_not(None)
    due = or_(outbox.c.kind != Kind.MARKETING, outbox.c.due_at <= now, of_campaign)
    begun = outbox.c.status.in_([Status.SENDING, Status.PAUSED])
    doubted = or_(begun, and_(IS_WAITING, due))
    query = paging.by_name(select(outbox).where(doubted), outbox.c.id, after, limit)
    return [message_of(row) for row in await connection.execute(query)]


def end_of(message: Message) -> Status:
    """Marketing is not sent again by itself; a service mail is asked for again."""
    return Status.UNCERTAIN if message.kind is Kind.MARKETING else Status.CANCELLED
