"""Rows of the log whose MAC an old key made get one by the key that makes rows now.

The MAC says that a gateway put an entry at its place; entry, place, tree and checkpoints stay as
they are. Only a row whose MAC fits is given another, so none that somebody wrote becomes ours.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.rowmac import LOGGED, STAGED, RowMacs
from audit.tables import audit_entry, audit_pending
from storage.database import Database
from storage.sound import sound

_AT_ONCE = 500


async def sign_anew(data: Database, macs: RowMacs, old: int, after: int) -> tuple[int | None, int]:
    """Sign the next entries behind the place *after* that *old* signed.

    Returns the place of the last that was looked at, None behind the last of all, and how
    many were signed.
    """
    query = _under(old).where(audit_entry.c.leaf_index > after)
    query = query.order_by(audit_entry.c.leaf_index).limit(_AT_ONCE)
    async with data.read() as connection:
        seen = (await connection.execute(query)).all()
    ours = [row for row in seen if macs.logged(row)]
    if ours:
        async with data.begin() as connection:
            for row in ours:
                await _sign(connection, macs, row)
    return (seen[-1].leaf_index if seen else None), len(ours)


async def needs(data: Database, macs: RowMacs, old: int) -> bool:
    """Whether there is an entry, or a staged event, that a gateway signed with this key."""
    staged = select(*STAGED).where(audit_pending.c.kid == old, sound(audit_pending))
    async with data.read() as connection:
        if any(macs.staged(row) for row in await connection.execute(staged)):
            return True
    after: int | None = -1
    while after is not None:
        query = _under(old).where(audit_entry.c.leaf_index > after)
        query = query.order_by(audit_entry.c.leaf_index).limit(_AT_ONCE)
        async with data.read() as connection:
            seen = (await connection.execute(query)).all()
        if any(macs.logged(row) for row in seen):
            return True
        after = seen[-1].leaf_index if seen else None
    return False


def _under(old: int) -> Any:
    return select(*LOGGED).where(audit_entry.c.kid == old, sound(audit_entry))


async def _sign(connection: AsyncConnection, macs: RowMacs, row: Any) -> None:
    """Unless it is another by now."""
    this = and_(audit_entry.c.leaf_index == row.leaf_index, audit_entry.c.mac == row.mac)
    signed = macs.entry(row.leaf_index, row.entry)
    await connection.execute(update(audit_entry).where(this).values(signed._asdict()))
