"""Staged events on their way to an index: asked after, counted, taken away in order."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Integer, bindparam, case, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.errors import BadPending
from audit.tables import audit_pending
from storage import straight
from storage.sound import sound

# Made once: the sequencer asks them five times a second.
_WAITS: Final = select(select(audit_pending.c.n).exists())
_OLDEST: Final = (
    select(audit_pending.c.n).order_by(audit_pending.c.n).limit(bindparam("most", type_=Integer))
)
_TAKE: Final = (
    delete(audit_pending)
    .where(audit_pending.c.n.in_(_OLDEST))
    .returning(*(case((sound(audit_pending), column)) for column in audit_pending.columns))
)


class Pending(NamedTuple):
    """A staged row."""

    n: int
    eid: bytes
    entry: bytes
    mac: bytes
    kid: int


async def waits(connection: AsyncConnection) -> bool:
    """Whether a staged event has no index yet."""
    ((there,),) = await straight.rows(connection, _WAITS)
    return bool(there)


async def pending(connection: AsyncConnection) -> int:
    """How many staged events have no index yet."""
    query = select(func.count()).select_from(audit_pending)
    return int((await connection.execute(query)).scalar_one())


async def take(connection: AsyncConnection, limit: int) -> list[Pending]:
    """Remove the oldest staged rows and return them.

    One statement: between reading and deleting, a transaction with a lower
    number may commit, and its row must not go unread. Raises `BadPending` for
    one that holds what cannot be staged.
    """
    rows = await straight.rows(connection, _TAKE, {"most": limit})
    for row in rows:
        if row[0] is None:
            raise BadPending(None, "it cannot be read; `gateway audit verify` names it")
    return sorted(Pending(*row) for row in rows)
