"""What a restored backup must not bring back: requests that wait, links, sessions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from storage.sound import fits
from storage.types import among


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many rows went."""

    intake: int = 0
    links: int = 0
    sessions: int = 0


async def newest(connection: AsyncConnection, limit: int) -> list[str]:
    """Who came last, whatever became of them: an older key store lacks their keys."""
    row = tables.subject.c
    query = select(row.id).where(fits(row.id)).order_by(row.created_at.desc()).limit(limit)
    return list((await connection.execute(query)).scalars())


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
