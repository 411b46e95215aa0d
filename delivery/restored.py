"""Messages of a restored backup that had not ended: what became of them since nobody can tell."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery.outbox import IS_WAITING, Message, Status, message_of, outbox
from delivery.outcome import Kind
from storage import bad_rows, paging

RESTORED = "restored"  # the reason that they end with
_parked = bad_rows.parked.c


async def look(
    connection: AsyncConnection, now: datetime, after: str | None, limit: int
) -> list[Message]:
    """The next that may have been sent since, not locked: all but marketing of a time to come.

    Of a campaign all: what stood still may have gone on. So may what waits for a reason, or is
    parked, whenever it is due by the backup: its person ended the pause, or an operator mended
    what kept it, and then it was due at once (`delivery.due`).
    """
    parked = outbox.c.id.in_(select(_parked.row).where(_parked.table == outbox.name))
    hastened = or_(outbox.c.campaign.is_not(None), outbox.c.reason.is_not(None), parked)
    due = or_(outbox.c.kind != Kind.MARKETING, outbox.c.due_at <= now, hastened)
    begun = outbox.c.status.in_([Status.SENDING, Status.PAUSED])
    doubted = or_(begun, and_(IS_WAITING, due))
    query = paging.by_name(select(outbox).where(doubted), outbox.c.id, after, limit)
    return [message_of(row) for row in await connection.execute(query)]


def end_of(message: Message) -> Status:
    """Marketing is not sent again by itself; a service mail is asked for again."""
    return Status.UNCERTAIN if message.kind is Kind.MARKETING else Status.CANCELLED
