"""What was sent, what was not, and what waits or stands aside: in numbers and our own ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from delivery import listing, outbox
from delivery import overview as delivery_overview
from delivery.listing import Count, Listed, Wanted
from gateway.watch import stuck
from storage import paging
from storage.bad_rows import Standing
from storage.clock import Clock
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Sent:
    """One look at a time, and at what there is now."""

    counts: Sequence[Count]
    messages: Sequence[Listed]  # newest first
    last: Listed | None  # of these, where older ones follow
    queue: Mapping[str, int]  # what has not ended, by status
    longest_due: datetime | None  # since when
    parked: Sequence[Standing]


async def look(data: Database, clock: Clock, wanted: Wanted, limit: int) -> Sent:
    """Changes nothing."""
    async with data.snapshot() as connection:
        now = await clock.now(connection)
        queue = Counter[str]()
        for (_, status), number in (await outbox.counts(connection)).items():
            queue[status] += number
        found = await listing.page(connection, wanted, limit + 1)
        messages, last = paging.cut(found, limit)
        return Sent(
            counts=await listing.count(connection, wanted),
            messages=messages,
            last=last,
            queue=queue,
            longest_due=await delivery_overview.oldest_due(connection, now),
            parked=await stuck.look(connection),
        )
