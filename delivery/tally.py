"""How many messages of a campaign came to what, without counting them.

Whoever changes messages adds what that changes in the counts, in the same transaction: a row
for each status and reason, which nobody else ever changes, so that no two of them wait for
each other. The sum counts. A duty folds rows into one meanwhile.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from storage import straight
from storage.ids import named
from storage.types import among, is_name, texts

outbox = tables.outbox
counted = tables.campaign_count

_FOLDED = 1000  # rows at once
# Of these messages alone: asked for campaigns here, too, PostgreSQL goes through all of theirs.
_NAMED = select(outbox.c.id, outbox.c.campaign, outbox.c.status, outbox.c.reason).where(
    among(outbox.c.id, texts("messages"))
)
_ADD = insert(counted)


@dataclass(frozen=True, slots=True)
class Standing:
    """A message of a campaign as it stood before it is changed."""

    campaign: str
    status: str
    reason: str | None


# By campaign, status and reason.
Counts = Counter[tuple[str, str, str | None]]


async def standing(connection: AsyncConnection, messages: Collection[str]) -> dict[str, Standing]:
    """How those of these messages stand that are of a campaign; the caller holds them."""
    rows = await straight.rows(connection, _NAMED, {"messages": messages})
    return {
        name: Standing(campaign, str(status), None if reason is None else str(reason))
        for name, campaign, status, reason in rows
        if is_name(campaign)
    }


async def add(connection: AsyncConnection, changes: Counts) -> None:
    """Count what a transaction changed."""
    rows = [
        {
            "id": named("cnt", secrets.token_bytes(16)),
            "campaign": campaign,
            "status": status,
            "reason": reason,
            "number": number,
        }
        for (campaign, status, reason), number in changes.items()
        if number
    ]
    if rows:
        await connection.execute(_ADD, rows)


async def of(
    connection: AsyncConnection, campaigns: Iterable[str]
) -> Mapping[str, Mapping[tuple[str, str | None], int]]:
    """What ended of each of these campaigns, by status and reason."""
    row = counted.c
    total = func.sum(row.number)
    query = select(row.campaign, row.status, row.reason, total).where(
        among(row.campaign, campaigns)
    )
    query = query.group_by(row.campaign, row.status, row.reason)
    found: dict[str, dict[tuple[str, str | None], int]] = {}
    for campaign, status, reason, number in await connection.execute(query):
        if number:
            found.setdefault(campaign, {})[status, reason] = int(number)
    return found


async def open_of(
    connection: AsyncConnection, campaigns: Collection[str]
) -> Mapping[str, Mapping[str, int]]:
    """What of each of these campaigns has not ended, by status."""
    query = select(outbox.c.campaign, outbox.c.status, func.count()).where(
        among(outbox.c.campaign, campaigns),
        outbox.c.campaign.is_not(None),
        outbox.c.ended_at.is_(None),
    )
    found: dict[str, dict[str, int]] = {}
    rows = await connection.execute(query.group_by(outbox.c.campaign, outbox.c.status))
    for campaign, status, number in rows:
        found.setdefault(campaign, {})[status] = number
    return found


async def is_loose(connection: AsyncConnection, campaign: str) -> bool:
    """Whether `fold` would put any together, if nobody holds them."""
    row = counted.c
    query = select(row.status, row.reason).where(row.campaign == campaign).limit(_FOLDED)
    rows = [tuple(one) for one in await connection.execute(query)]
    return _is_loose(rows, set(rows))


def _is_loose(rows: Sized, totals: Sized) -> bool:
    return len(rows) > 2 * len(totals)


async def fold(connection: AsyncConnection, campaign: str) -> None:
    """Put rows of a campaign together; what another process holds is left for the next time."""
    query = select(counted).where(counted.c.campaign == campaign).limit(_FOLDED)
    query = query.with_for_update(skip_locked=True)
    rows: Sequence[tuple[str, str, str, str | None, int]] = [
        (row.id, row.campaign, row.status, row.reason, row.number)
        for row in await connection.execute(query)
    ]
    totals: Counts = Counter()
    for _, _, status, reason, number in rows:
        totals[campaign, status, reason] += number
    if _is_loose(rows, totals):
        names = [name for name, *_ in rows]
        await connection.execute(delete(counted).where(among(counted.c.id, names)))
        await add(connection, totals)


async def recounted(
    connection: AsyncConnection, campaign: str
) -> dict[tuple[str, str | None], int]:
    """As `of`, of one campaign and from its messages: reads them all."""
    query = select(outbox.c.status, outbox.c.reason, func.count()).where(
        outbox.c.campaign == campaign, outbox.c.ended_at.is_not(None)
    )
    rows = await connection.execute(query.group_by(outbox.c.status, outbox.c.reason))
    return {(status, reason): number for status, reason, number in rows}
