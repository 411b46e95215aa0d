"""What a restored backup must not bring back: requests that wait, links, sessions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import gates, tables
from storage import paging
from storage.honesty import RowKeys
from storage.sound import fits
from storage.types import among


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many rows went."""

    intake: int = 0
    links: int = 0
    sessions: int = 0


async def newest(
    connection: AsyncConnection, keys: RowKeys, now: datetime, limit: int
) -> list[str]:
    """Who came last, whatever became of them: an older key store lacks their keys.

    Of the rows that a gateway wrote; when a person came no MAC covers, so nobody counts
    as coming last who is dated ahead of *now*.
    """
    table = tables.subject
    query = select(table).where(fits(table.c.id), table.c.created_at <= now)
    query = query.order_by(table.c.created_at.desc())

    def read(row: Any) -> str | None:
        gate = gates.gate_of(row)
        return gate.subject if gate.is_honest(keys) else None

    return await paging.first(connection, query, limit, read)


async def drop(connection: AsyncConnection) -> Dropped:
    """Let go of what was worked off, spent or ended since: nobody can tell. Nothing else runs.

    Links to leave stay: they work for ever.
    """
    gone = []
    links = (tables.confirmation, tables.fresh_link, tables.address_link)
    for table in (tables.intake, tables.session, *links):
        gone.append((await connection.execute(delete(table))).rowcount)
    intake, sessions, *by_link = gone
    return Dropped(intake, sum(by_link), sessions)


async def drop_unreadable(connection: AsyncConnection, keys: Collection[str]) -> int:
    """Let go of requests whose key is in no store any more; *keys* are those that are."""
    named = select(tables.intake.c.key_id).distinct()
    lost = set((await connection.execute(named)).scalars()) - set(keys)
    if not lost:
        return 0
    gone = delete(tables.intake).where(among(tables.intake.c.key_id, lost))
    return (await connection.execute(gone)).rowcount
