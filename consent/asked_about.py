"""Of whom somebody asks: whose an address is, their gate and consents, in one statement.

For advice: nothing is locked. Each statement more is a round trip, and these were five of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import numbers
from consent import gates, lookup, tables
from consent.asked_hashes import MOST, among_asked, asked
from consent.consents import Consent, Consents
from consent.gates import Gate
from consent.lookup import Found, LookUp
from storage.clock import SERVERS, Clock, elapsed
from storage.together import Together
from storage.types import found_by

# For so long an event may be written of what was read. Who was stopped longer reads again: it
# would stand behind what happened after it, and pass for back-dated (`audit.times`).
FRESH: Final = timedelta(seconds=30)
_POSTGRESQL: Final = "postgresql"


@dataclass(slots=True)
class AskedAbout:
    """What was found; who is not known is missing."""

    at: datetime  # by the database's clock, as it was read
    found: dict[str, Found] = field(default_factory=dict)  # by canonical address
    gates: dict[str, Gate] = field(default_factory=dict)
    consents: dict[str, list[Consent]] = field(default_factory=dict)
    drawn: Sequence[int] = ()  # numbers for events, in order; see `numbers.free`
    until: datetime | None = None  # the end of that by PostgreSQL's own clock; SQLite has none
    asked_at: float = field(default_factory=elapsed)

    @property
    def is_old(self) -> bool:
        """Whether it must be asked again. Who was stopped since may not know (`until`)."""
        return elapsed() - self.asked_at > FRESH.total_seconds()


@cache
def _asking(places: int | None, dialect: str, drawn: Select[Any] | None) -> Together:
    index, subject, consent = tables.subject_index, tables.subject, tables.consent
    wanted = among_asked(index.c.hash, index.c.kid, places)
    # Rows that somebody planted are more than that only where the table has no primary key any
    # more. Whoever is found behind them is read by name.
    whose = select(index.c.subject).where(wanted).limit(MOST)
    beside = {"now": SERVERS} if dialect == _POSTGRESQL else {}
    if drawn is not None:
        beside["drawn"] = drawn
    return Together(
        theirs=select(index).where(wanted),
        keys=lookup.KEYS,
        gates=select(subject).where(found_by(subject.c.id, whose)),
        consents=select(consent).where(found_by(consent.c.subject, whose)),
        **beside,
    )


def _drawn(wanted: int) -> Select[Any] | None:
    if not wanted:
        return None
    return numbers.NEXT_ONE if wanted == 1 else numbers.NEXT


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks about people, by their addresses or by name."""

    lookup: LookUp
    consents: Consents
    clock: Clock

    async def about(
        self,
        connection: AsyncConnection,
        addresses: Collection[str],
        named: Collection[str] = (),
        *,
        draw: int = 0,
    ) -> AskedAbout:
        """What is known of them now; raises as `LookUp.find`.

        With PostgreSQL so many numbers are drawn for events that nothing is locked for.
        """
        hashes, dialect = self.lookup.hashed(addresses), connection.dialect.name
        about = AskedAbout(self.clock.wall())
        for places, given in asked(dialect, hashes):
            drawn = _drawn(draw) if dialect == _POSTGRESQL else None
            asking = _asking(places, dialect, drawn)
            looked = await asking.rows(connection, given | {"wanted": draw})
            about.found |= self.lookup.found(hashes, looked)
            about.gates |= gates.read(looked["gates"])
            about.consents |= self.consents.by_subject(looked["consents"])
            servers = looked["now"][0][0] if "now" in looked else None
            about.at = self.clock.at(servers)
            about.until = None if servers is None else servers + FRESH
            about.drawn = numbers.free(looked.get("drawn", ()))
        wanted = {*named, *(one.subject for one in about.found.values())}
        if missing := wanted - about.gates.keys():
            about.gates |= await gates.peek(connection, missing)
            about.consents |= await self.consents.of_subjects(connection, missing)
        return about
