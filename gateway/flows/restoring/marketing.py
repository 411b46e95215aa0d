"""Whether marketing waits for an operator, since a restore could not learn who left: by the log.

A row beside the log could be deleted, and with it the wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail
from audit.entry import Entry, Event, draft, format_moment
from audit.kinds import Actor, Kind
from audit.log import Log
from storage.clock import Clock
from storage.database import Database

_WORDS = (Kind.BACKUP_RESTORED, Kind.BACKUP_ACCEPTED)
HELD = "held"  # in the refs of `backup.restored`


@dataclass(frozen=True, slots=True)
class Period:
    """The time of which nobody knows who left."""

    since: datetime
    until: datetime

    @property
    def refs(self) -> dict[str, str]:
        return {"since": format_moment(self.since), "until": format_moment(self.until)}


def held_for(said: list[Entry]) -> Period | None:
    """What the last of these events leaves to be answered for."""
    open_: list[Period] = []
    for one in said:
        if one.kind is Kind.BACKUP_ACCEPTED:
            open_ = []
        elif one.refs.get(HELD) == "yes":
            since, until = (datetime.fromisoformat(one.refs[name]) for name in ("since", "until"))
            open_.append(Period(since, until))
    if not open_:
        return None
    return Period(min(one.since for one in open_), max(one.until for one in open_))


async def look(connection: AsyncConnection, log: Log) -> Period | None:
    """The period that marketing is held for; None: it is not."""
    return held_for(await trail.happenings(connection, log.macs, _WORDS))


async def accept(data: Database, log: Log, clock: Clock) -> Period | None:
    """Let marketing go again: an operator answers for the period; None where none is held."""
    async with data.begin() as connection:
        held = await look(connection, log)
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
                self._stands = await look(connection, self._log) is not None
        return self._stands
