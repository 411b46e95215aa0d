"""Links about addresses and lifted stops that mails carried, and whose rows are away.

By one of them a person takes their address back from a thief, or stops again what that one
lifted: whoever deletes its row takes that from them. The permit of its mail names it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from consent import address_links
from consent.moving import A_WEEK
from delivery import permits
from storage.clock import Clock
from storage.database import Database


async def doubts(data: Database, clock: Clock, dropped_at: datetime | None) -> AsyncIterator[str]:
    """Name those of a week, as long as none goes by itself; a restore drops all before it."""
    async with data.snapshot() as connection:
        now = await clock.now(connection)
        since = max(now - A_WEEK, dropped_at or now - A_WEEK)
        carried = await permits.grounds_of(connection, address_links.NAMED, since)
        gone = await address_links.away(connection, carried, since)
    for name in gone:
        yield f"address_link {name}: a mail carried it, and its row is gone"
