"""Permits of who left while their key was missing: nobody can read what the log grants them.

Whoever leaves so is answered once no permit that it may tell of can be open any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories
from audit.kinds import Kind
from audit.rowmac import RowMacs
from delivery import account

log = structlog.get_logger()


async def holders(
    connection: AsyncConnection, macs: RowMacs, subjects: Collection[str], since: datetime
) -> set[str]:
    """Who may have been granted something lately that nobody can read, and no row says is over."""
    told = await histories.batches_of(connection, macs, subjects, Kind.PERMIT_BATCH, since)
    over = await account.ended(connection, told.keys()) if told else Counter()
    found = {one[0] for one, items in told.items() if over[one] < items}
    if found:
        log.error("permit_unreadable", rows=len(found))
    return found
