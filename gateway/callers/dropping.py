"""The bytes of an export that nobody gets any more are deleted, some at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.schema.tables import desk_export_piece
from storage.types import among

_DROPPED: Final = 16  # pieces in one transaction: on SQLite everybody who writes waits for it


async def drop(connection: AsyncConnection, names: Sequence[str]) -> int:
    """Delete some of the bytes, few enough that nobody waits for long; how many pieces it was."""
    if not names:
        return 0
    key = tuple(desk_export_piece.primary_key.columns)
    these = select(*key).where(among(desk_export_piece.c.export, names)).order_by(*key)
    some = these.limit(_DROPPED).with_for_update(skip_locked=True)
    done = await connection.execute(delete(desk_export_piece).where(tuple_(*key).in_(some)))
    return done.rowcount
