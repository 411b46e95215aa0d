"""Whom a mail to many is for: consents that were confirmed in time, and what narrows them.

It only chooses whom to ask about. Whether somebody may be mailed is decided for each, when
the mail is claimed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.canonical import canonical
from consent import tables
from consent.answers import several
from consent.consents import Consent, Consents, in_words
from consent.errors import StoredError
from consent.model import State, SubjectState
from storage import paging
from storage.types import among

consent, subject = tables.consent, tables.subject

Cursor = tuple[datetime, str]  # when a consent was confirmed, and its id


@dataclass(frozen=True, slots=True)
class Audience:
    """What narrows everyone whom a purpose permits; nothing: everyone.

    *profile* has, by field, the answers of which one must be theirs.
    """

    locales: frozenset[str] = frozenset()
    profile: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    since: datetime | None = None  # confirmed then, or later
    until: datetime | None = None  # confirmed before then

    def wants(self, answers: Mapping[str, str]) -> bool:
        """Whether somebody of these answers is meant."""
        return all(
            not wanted.isdisjoint(several(answers.get(name, "")))
            for name, wanted in self.profile.items()
        )


def write(audience: Audience) -> bytes:
    """The bytes that `read` reads; the same audience has the same."""
    document: dict[str, Any] = {
        "locale": sorted(audience.locales),
        "profile": {name: sorted(wanted) for name, wanted in audience.profile.items()},
    }
    for name, moment in (("since", audience.since), ("until", audience.until)):
        document |= {} if moment is None else {name: moment.isoformat()}
    return canonical(document)


def read(raw: bytes) -> Audience:
    """Read what `write` wrote; raises `StoredError` for anything else."""
    try:
        said = json.loads(raw)
        since, until = (
            datetime.fromisoformat(said[name]) if name in said else None
            for name in ("since", "until")
        )
        profile = {name: frozenset(wanted) for name, wanted in said["profile"].items()}
        return Audience(frozenset(said["locale"]), profile, since, until)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise StoredError from None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk through an audience is: behind *after*, up to those confirmed *before*."""

    before: datetime
    after: Cursor | None
    limit: int


async def page(
    connection: AsyncConnection, consents: Consents, purpose: str, whom: Audience, place: Place
) -> list[Consent]:
    """The next confirmed consents of *purpose*, by their confirmation, without the answers.

    All of them, honest or not: where the next page goes on is behind the last.
    """
    query = select(consent).where(
        in_words([State.CONFIRMED]),
        consent.c.purpose == purpose,
        consent.c.decided_at < (place.before if whom.until is None else whom.until),
        consent.c.decided_at < place.before,
    )
    if whom.since is not None:
        query = query.where(consent.c.decided_at >= whom.since)
    if whom.locales:
        # The language in which the mail would be written.
        query = query.join(subject, subject.c.id == consent.c.subject)
        query = query.where(among(subject.c.locale, whom.locales))
    key = (consent.c.decided_at, consent.c.id)
    rows = await connection.execute(paging.page(query, key, place.after, place.limit))
    return [consents.read(row) for row in rows]


async def counts(connection: AsyncConnection, purpose: str) -> dict[str, int]:
    """How many consents of *purpose* there are, by state; of confirmed ones, by what stops them.

    As rows have it, for an overview: nobody's permission is decided.
    """
    row = subject.c
    stands = case(
        (consent.c.state != State.CONFIRMED.value, consent.c.state),
        (row.state != SubjectState.LIVE.value, "erasing"),
        (row.restricted_at.is_not(None), "restricted"),
        (row.objected_at.is_not(None), "objected"),
        (row.suppressed.is_not(None), "suppressed_" + row.suppressed),
        else_="permitted",
    )
    query = select(stands, func.count()).where(consent.c.purpose == purpose)
    query = query.join(subject, row.id == consent.c.subject).group_by(stands)
    found = {str(word): int(number) for word, number in await connection.execute(query)}
    return {"permitted": 0} | found
