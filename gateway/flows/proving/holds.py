"""Holds beside the log: which stand, and that none was planted, deleted or put back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from audit import trail
from audit.entry import Entry
from audit.kinds import Kind
from audit.log import Log
from consent import holds
from consent.holds import Hold
from storage.database import Database
from storage.honesty import RowKeys

_KINDS = (Kind.HOLD_PLACED, Kind.HOLD_LIFTED)


async def doubts(data: Database, keys: RowKeys, log: Log) -> AsyncIterator[str]:
    """Name holds that do not fit their events."""
    async with data.snapshot() as connection:
        rows = await holds.every(connection, keys)
        told = await trail.happenings(connection, log.macs, _KINDS)
    for doubt in compare(told, rows):
        yield doubt


def compare(events: Iterable[Entry], rows: Mapping[str, Hold]) -> Iterator[str]:
    """Compare events, in their order, with the rows that a gateway wrote."""
    last = {one.refs["hold"]: one for one in events if "hold" in one.refs}
    for name, event in last.items():
        stands = event.kind is Kind.HOLD_PLACED
        if stands and name not in rows:
            yield f"hold {name}: the log tells of it, and its row is gone"
        elif name in rows and (not stands or rows[name].eid != event.eid):
            yield f"hold {name}: an old row was put back: the log tells otherwise"
    for name in rows.keys() - last.keys():
        yield f"hold {name}: no event tells of it"
