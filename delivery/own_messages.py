"""The messages that one caller handed in, newest first, as that caller lists them.

Their ids are ordered by time, so a list goes backwards through the primary key, or through the
few that have one reference. Of what others handed in so much is passed over at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outbox import Message, Status, message_of
from storage import paging
from storage.ids import first_id

outbox = tables.outbox
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)
_AT_ONCE: Final = 500  # rows in one statement
_LOOKED_AT: Final = 5000  # for one page


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose messages, and which of them; *reference* is keyed; those before the message *before*.

    Accepted from *since* up to, not including, *until*.
    """

    origin: str
    since: datetime | None = None
    until: datetime | None = None
    purpose: str | None = None
    statuses: Collection[Status] | None = None
    reference: bytes | None = field(default=None, repr=False)
    before: str | None = None

    def covers(self, message: Message) -> bool:
        """Whether it is among them; by when and by which reference the rows were chosen."""
        return (
            message.origin == self.origin
            and (self.purpose is None or message.purpose == self.purpose)
            and (self.statuses is None or message.status in self.statuses)
        )


async def page(
    connection: AsyncConnection, asked: Asked, limit: int
) -> tuple[Sequence[Message], str | None]:
    """The next of them, and before which message the page after begins; None: there is none.

    Where a look ends among what others handed in, a page may have fewer, or none, and nobody
    knows yet whether more follow.
    """
    found: list[Message] = []  # with the one more that says whether others follow
    before = asked.before
    for _ in range(_LOOKED_AT // _AT_ONCE):
        rows = [message_of(row) for row in await connection.execute(_before(asked, before))]
        for message in rows:
            before = message.id
            if asked.covers(message):
                found.append(message)
            if len(found) > limit:
                return found[:limit], found[limit - 1].id
        if len(rows) < _AT_ONCE:
            return found, None
    return found, before


def _before(asked: Asked, before: str | None) -> Select[Any]:
    first = first_id("msg", asked.since or _FIRST)
    last = first_id("msg", asked.until or _LAST)
    query = paging.between(select(outbox), outbox.c.id, first, min(last, before or last))
    if asked.reference is not None:
        query = query.where(outbox.c.reference == asked.reference)
    return query.order_by(outbox.c.id.desc()).limit(_AT_ONCE)
