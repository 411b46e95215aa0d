"""Requests that are due soon are named to whoever watches, once a day each, until decided."""

from __future__ import annotations

import structlog

from consent import rights_requests
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

log = structlog.get_logger()


async def remind(data: Database, clock: Clock, keys: RowKeys) -> int:
    """Write a line for each; a crash after the commit leaves them to the numbers, and to tomorrow.

    Two processes do not both write it.
    """
    async with data.begin() as connection:
        now = await clock.now(connection)
        due = await rights_requests.remind(connection, keys, now)
    for one in due:
        log.warning("rights.due", request=one.id, due_at=one.due_at)
    return 0
