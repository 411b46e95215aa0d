"""Rights requests beside what the log says of them: altered, put back, deleted, decided twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from audit import trail
from audit.entry import Entry
from audit.kinds import Kind
from audit.log import Log
from consent import rights_requests
from consent.rights import KINDS, RightsRequest
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_FIRST, _MORE_TIME = Kind.RIGHTS_REQUESTED, Kind.RIGHTS_EXTENDED
_LAST = frozenset(KINDS) - {_FIRST, _MORE_TIME}


async def doubts(
    data: Database, keys: RowKeys, log: Log, clock: Clock, kept: timedelta
) -> AsyncIterator[str]:
    """Name requests that do not fit their events; they are *kept* so long after their decision."""
    async with data.snapshot() as connection:
        rows = await rights_requests.standing(connection, keys)
        told = await trail.happenings(connection, log.macs, KINDS)
        now = await clock.now(connection)
    for doubt in compare(told, rows, now - kept):
        yield doubt


def compare(
    events: Iterable[Entry], rows: Mapping[str, RightsRequest | None], kept_since: datetime
) -> Iterator[str]:
    """Compare events, in their order, with the rows; what no gateway wrote is named elsewhere."""
    told: dict[str, list[Entry]] = {}
    for event in events:
        told.setdefault(event.refs["request"], []).append(event)
    for name, about in told.items():
        last, row = about[-1], rows.get(name)
        if not _possible([event.kind for event in about]):
            # Decided by an old row, which fits since.
            yield f"rights_request {name}: the log tells of states that cannot follow each other"
        if name not in rows and not _is_over(last, kept_since):
            yield f"rights_request {name}: the log tells of it, and its row is gone"
        elif row is not None and row.eid != last.eid:
            yield f"rights_request {name}: an old row was put back: the log tells otherwise"
    for name in [one for one, row in rows.items() if row is not None and one not in told]:
        yield f"rights_request {name}: no event tells of it"


def _is_over(last: Entry, kept_since: datetime) -> bool:
    return last.kind in _LAST and last.at <= kept_since


def _possible(kinds: Sequence[Kind]) -> bool:
    """Asked for once, then at most more time once, then at most one decision."""
    rest = list(kinds[1:])
    if rest and rest[0] is _MORE_TIME:
        rest.pop(0)
    return kinds[0] is _FIRST and (not rest or (len(rest) == 1 and rest[0] in _LAST))
