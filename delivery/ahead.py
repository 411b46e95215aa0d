"""What a clock that ran ahead has put off, brought back once the clock is right again.

Only what waits is moved, to where a rule of today would put it. Permits stay as
they are: cut short, one might end for whoever withdraws before it ends for its
worker. A message that a sender wants sent later stays too: that it does is not
to be told from a clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outbox import IS_WAITING
from delivery.outcome import Kind
from storage.locks import free

outbox = tables.outbox
worker = tables.worker

# No service mail waits longer: a day for its turn at a domain, four hours and a bit between tries.
FURTHEST = timedelta(hours=30)


async def bring_back(connection: AsyncConnection, now: datetime, lease: timedelta) -> None:
    """Let service mails be due, and dead workers be taken over, that no rule puts so far off.

    A worker that lives has at least a whole lease left, as after a heartbeat.
    """
    far = and_(outbox.c.kind == Kind.SERVICE, IS_WAITING, outbox.c.due_at > now + FURTHEST)
    await connection.execute(update(outbox).where(free(outbox, far)).values(due_at=now))
    held = free(worker, worker.c.lease_until > now + lease + FURTHEST)
    await connection.execute(update(worker).where(held).values(lease_until=now + lease))
