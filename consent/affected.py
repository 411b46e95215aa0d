"""How many people a copy of the data is about: counted by the database, and nobody is opened.

Each count is one statement over a whole table, for a breach alone: nothing for a page to ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables

subject, consent = tables.subject, tables.consent


@dataclass(frozen=True, slots=True)
class Affected:
    """People as they stand now, of those who were known by a moment.

    *consents* are people by purpose and state of a consent; who agreed twice counts once.
    """

    people: Mapping[str, int]  # by state: live, erasing, erased with evidence that stays
    restricted: int
    languages: Mapping[str, int]  # of those that are live
    consents: Sequence[tuple[str, str, int]]
    waiting: int  # sign-ups that were acknowledged and not worked off

    @property
    def everybody(self) -> int:
        return sum(self.people.values())


async def count(connection: AsyncConnection, until: datetime) -> Affected:
    """Count those who were known by then. Use a snapshot."""
    known = subject.c.created_at <= until
    people = select(subject.c.state, func.count()).where(known).group_by(subject.c.state)
    restricted = select(func.count()).where(known, subject.c.restricted_at.is_not(None))
    spoken = (
        select(subject.c.locale, func.count())
        .where(known, subject.c.state == "live")
        .group_by(subject.c.locale)
    )
    received = select(func.count()).where(tables.intake.c.received_at <= until)
    return Affected(
        people={str(state): number for state, number in await connection.execute(people)},
        restricted=(await connection.execute(restricted)).scalar_one(),
        languages={str(one): number for one, number in await connection.execute(spoken)},
        consents=await _by_purpose(connection, until),
        waiting=(await connection.execute(received)).scalar_one(),
    )


async def _by_purpose(
    connection: AsyncConnection, until: datetime
) -> Sequence[tuple[str, str, int]]:
    theirs = (consent.c.purpose, consent.c.state)
    # Two steps of one statement: counting distinct ones in groups sorts a row for each consent.
    each = select(*theirs, consent.c.subject).where(consent.c.requested_at <= until).distinct()
    one = each.subquery()
    query = select(one.c.purpose, one.c.state, func.count()).group_by(one.c.purpose, one.c.state)
    rows = await connection.execute(query.order_by(one.c.purpose, one.c.state))
    return [(str(purpose), str(state), number) for purpose, state, number in rows]
