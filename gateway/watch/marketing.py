"""Whether marketing waits for an operator, since a restore could not learn who left: by the log.

A row beside the log could be deleted, and with it the wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail
from audit.entry import Entry, format_moment
from audit.kinds import Kind
from audit.rowmac import RowMacs
from gateway.watch.findings import Finding, warn

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


def held_for(said: Sequence[Entry]) -> Period | None:
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


async def look(connection: AsyncConnection, macs: RowMacs) -> Period | None:
    """The period that marketing is held for; None: it is not."""
    return held_for(await trail.happenings(connection, macs, _WORDS))


async def about(connection: AsyncConnection, macs: RowMacs) -> list[Finding]:
    """The doctor's finding; nothing where it is not held."""
    held = await look(connection, macs)
    if held is None:
        return []
    said = f"is held: nobody knows who left from {held.since:%Y-%m-%d} to {held.until:%Y-%m-%d}"
    return [warn("marketing", said, "see Restore in docs/operations.md: --accept-period")]
