"""Marketing waits for an operator where a restore could not learn who left."""

from __future__ import annotations

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from gateway.watch.marketing import Period, look
from storage.clock import Clock
from storage.database import Database


async def accept(data: Database, log: Log, clock: Clock) -> Period | None:
    """Let marketing go again: an operator answers for the period; None where none is held."""
    async with data.begin() as connection:
        held = await look(connection, log.macs)
        if held is not None:
            now = await clock.now(connection)
            event = Event(Kind.BACKUP_ACCEPTED, Actor.OPERATOR, now, refs=held.refs)
            await log.stage(connection, [draft(event, None, log.node)])
    return held


class MarketingHold:
    """Asked at each claim as long as it stands.

    Once it does not, it is not asked again: what puts it there runs with every process stopped.
    """

    def __init__(self, data: Database, log: Log) -> None:
        self._data = data
        self._log = log
        self._stands = True

    async def stands(self) -> bool:
        if self._stands:
            async with self._data.read() as connection:
                self._stands = await look(connection, self._log.macs) is not None
        return self._stands
