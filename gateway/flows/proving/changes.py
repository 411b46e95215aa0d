"""What others are to be told, beside the log: each event has its row for a month, each row those
who are told of it.

Of who was erased the rows went once they were told, and with their keys went what says whose an
event was; so only what the log still holds facts of is missed, and every erasure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from audit import roll, trail
from audit.entry import Entry
from audit.kinds import Kind
from audit.log import Log
from consent import feed
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_AT_ONCE = 1000


async def doubts(data: Database, keys: RowKeys, log: Log, clock: Clock) -> AsyncIterator[str]:
    """Name what is missing; memory does not grow with the number of events."""
    async for doubt in _untold(data, log, clock):
        yield doubt
    after: str | None = None
    while True:
        async with data.snapshot() as connection:
            after, missing = await feed.untold(connection, keys, after, _AT_ONCE)
        for name in missing:
            yield f"telling {name}: is gone, and its change says that it was to be told"
        if after is None:
            return


async def _untold(data: Database, log: Log, clock: Clock) -> AsyncIterator[str]:
    """Events of which no row tells."""
    last: int | None = -1
    async with data.snapshot() as connection:
        # A day less than they are kept: what is just going is not missed.
        since = await clock.now(connection) - feed.KEPT + feed.KEPT / 30
        # Before that no release wrote such rows.
        adopted = await trail.happenings(connection, log.macs, [Kind.ROWS_ADOPTED])
        since = max([since, *(one.at for one in adopted)])
    while last is not None:
        async with data.snapshot() as connection:
            last, page = await roll.logged(connection, log.macs, feed.KINDS, since, last, _AT_ONCE)
            there = await feed.by_event(connection, [one.eid for one in page])
            missing = [one for one in page if one.eid not in there]
            held = await trail.with_facts(connection, [one.eid for one in missing])
        for one in missing:
            if one.eid in held or _is_of_a_request(one):
                yield f"change {one.eid.hex()}: the log tells of {one.kind}, and its row is gone"


def _is_of_a_request(one: Entry) -> bool:
    """Of whom the rules on keeping let go others need not have heard."""
    return one.kind is Kind.SUBJECT_ERASED and "erasure" in one.refs
