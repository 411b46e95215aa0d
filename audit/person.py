"""What batch events say of one person, newest first and as much as was asked for.

There are as many as callers please: whoever shows them to the person bounds what that costs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import EVIDENCE, Entry, Opener, format_moment, item_place
from audit.tables import audit_entry, audit_item, audit_pending
from audit.trail import Told, open_one, parsed
from storage.sound import sound

_AT_ONCE = 250


async def items(
    connection: AsyncConnection, subject: str, most: int, before: datetime | None = None
) -> AsyncIterator[Sequence[Any]]:
    """Sealed rows of the person's items with their entries, by the page; see `opened`.

    With *before*, those alone of events that the log has from before that moment.
    """
    left, logged = most, _logged(subject)
    if before is not None:
        logged = logged.where(audit_entry.c.at < format_moment(before))
    for query in (logged,) if before is not None else (_staged(subject), logged):
        if left <= 0:
            return
        async with connection.stream(query.limit(left)) as rows:
            async for page in rows.partitions(_AT_ONCE):
                left -= len(page)
                yield page


def opened(rows: Sequence[Any], opener: Opener) -> Iterator[Told]:
    """What these rows say; who does not open, or does not fit, is left out. To be done aside."""
    entries: dict[bytes, Entry | None] = {}
    for row in rows:
        if row.eid not in entries:
            entries[row.eid] = parsed(row.entry)
        entry, place = entries[row.eid], item_place(row.eid, row.position)
        _, facts = open_one(opener, row.subject, EVIDENCE, place, row.sealed, row.commitment)
        if facts is not None and entry is not None:
            yield Told(row.subject, entry, row.commitment, facts)


def _logged(subject: str) -> Select[Any]:
    query = select(audit_item, audit_entry.c.entry)
    query = query.join(audit_entry, audit_entry.c.eid == audit_item.c.eid)
    query = query.where(audit_item.c.subject == subject, sound(audit_item), sound(audit_entry))
    return query.order_by(audit_entry.c.leaf_index.desc(), audit_item.c.position)


def _staged(subject: str) -> Select[Any]:
    query = select(audit_item, audit_pending.c.entry)
    query = query.join(audit_pending, audit_pending.c.eid == audit_item.c.eid)
    query = query.where(audit_item.c.subject == subject, sound(audit_item), sound(audit_pending))
    return query.order_by(audit_pending.c.n.desc(), audit_item.c.position)
