"""That somebody left while their key was missing, as the log tells it, beside their own rows."""

from __future__ import annotations

from collections.abc import AsyncIterator

from audit import trail
from audit.kinds import Kind
from audit.log import Log
from consent import leavings
from storage.database import Database
from storage.honesty import RowKeys


async def doubts(data: Database, keys: RowKeys, log: Log) -> AsyncIterator[str]:
    """Name rows that somebody else wrote, and say how many are away of which the log tells."""
    async with data.snapshot() as connection:
        people = await leavings.noted(connection)
        told = await trail.happenings(connection, log.macs, (Kind.CONSENT_LEFT,))
        if not people and not told:
            return
        ended = await trail.happenings(connection, log.macs, (Kind.SUBJECT_ERASED,))
    events = {event.eid for event in told}
    named: set[bytes] = set()
    for gate in people:
        theirs = {one.eid for one in leavings.of(gate)}
        if not leavings.is_ours(keys, gate):
            yield f"subject {gate.subject}: somebody else wrote that they left, or when"
        elif not theirs <= events:
            yield f"subject {gate.subject}: says that they left, and no event tells of it"
        else:
            named |= theirs
    went = sum(int(event.refs.get("leavings", 0)) for event in ended)
    if len(events - named) > went:
        missing = len(events - named) - went
        yield f"subject: {missing} times somebody left of whom no row says so any more"
