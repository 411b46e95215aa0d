"""The guard's store beside the log: what people took away stands in both, or in neither.

What only the guard's store tells of was taken away after the backup that somebody
restored. What only the log tells of, a restored backup would permit again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from typing import TypeVar

from audit import roll, trail
from audit.entry import Entry
from audit.kinds import Kind
from audit.log import Log
from consent import taken_away
from consent.taken_away import TakingAway
from storage.database import Database
from storage.honesty import RowKeys

_AT_ONCE = 1000
_TICK = timedelta(milliseconds=1)
T = TypeVar("T", Entry, TakingAway)


async def doubts(data: Database, guard: Database, keys: RowKeys, log: Log) -> AsyncIterator[str]:
    """Name what stands in one of both alone; memory does not grow with their number."""
    async for doubt in _untold(data, guard, keys, log):
        yield doubt
    async for doubt in _unheard(data, guard, keys, log):
        yield doubt


async def restored_at(data: Database, log: Log) -> datetime | None:
    """When a restore was last carried out; none: there was none."""
    async with data.read() as connection:
        restored = await trail.happenings(connection, log.macs, [Kind.BACKUP_RESTORED])
    # Events have no more than milliseconds.
    return max((one.at + _TICK for one in restored), default=None)


async def _untold(data: Database, guard: Database, keys: RowKeys, log: Log) -> AsyncIterator[str]:
    """Events that the guard's store does not tell of."""
    async with guard.read() as connection:
        since = await taken_away.reach(connection, keys)
    async with data.snapshot() as connection:
        # Before that no release told the guard.
        adopted = await trail.happenings(connection, log.macs, [Kind.ROWS_ADOPTED])
        since = max([one.at for one in adopted] + ([since] if since else []), default=None)
        page = await roll.staged(connection, log.macs, taken_away.KINDS)
        due = await taken_away.still_due(connection, {one.eid for one in page})
    for doubt in await _missing(guard, keys, _later(page, since), due):
        yield doubt
    last: int | None = -1
    while last is not None:
        async with data.snapshot() as connection:
            last, page = await roll.logged(
                connection, log.macs, taken_away.KINDS, since, last, _AT_ONCE
            )
            due = await taken_away.still_due(connection, {one.eid for one in page})
        for doubt in await _missing(guard, keys, page, due):
            yield doubt


def _later(page: Collection[T], since: datetime | None) -> list[T]:
    return [one for one in page if since is None or one.at > since]


async def _missing(
    guard: Database, keys: RowKeys, page: Collection[Entry], due: Collection[bytes]
) -> list[str]:
    """Those of *page* that are nowhere. What is due is let go of once the guard has it, not before.

    Ask the guard last.
    """
    asked = [one for one in page if one.eid not in due]
    if not asked:
        return []
    async with guard.snapshot() as connection:
        there = await taken_away.has(connection, [one.eid for one in asked])
        since = await taken_away.reach(connection, keys)  # it may have been let go of meanwhile
    return [
        f"taking_away {one.eid.hex()}: the log tells of {one.kind}, and its row is gone,"
        " also from taking_away_due"
        for one in _later(asked, since)
        if one.eid not in there
    ]


async def _unheard(data: Database, guard: Database, keys: RowKeys, log: Log) -> AsyncIterator[str]:
    """Rows of the guard's store that no event tells of: those are written after their event."""
    # Said before a restore: it was taken away again then, under an event of its own.
    before = await restored_at(data, log)
    last: bytes | None = None
    while True:
        async with guard.read() as connection:
            ids, page = await taken_away.after(connection, keys, last, _AT_ONCE)
        if not ids:
            return
        last = ids[-1]
        async with data.read() as connection:
            told = await roll.kinds_of(connection, log.macs, [one.eid for one in page])
        for one in page if before is None else _later(page, before):
            if told.get(one.eid) != one.kind:
                yield f"taking_away {one.eid.hex()}: no event in the log tells of {one.kind}"
