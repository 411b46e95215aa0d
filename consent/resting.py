"""Which consents rest on which wording: counted, and gone through. Nothing for a request to ask.

Rows as they stand: whether each is what we wrote is seen where it is read whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from consent.model import State
from storage import paging
from storage.sound import fits
from storage.types import among

consent = tables.consent


@dataclass(frozen=True, slots=True)
class Resting:
    """How many consents rest on one wording, and between which moments they were confirmed."""

    standing: int = 0
    waiting: int = 0
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """One consent, and whose it is."""

    consent: str
    subject: str


async def count(connection: AsyncConnection, hashes: Iterable[str]) -> dict[str, Resting]:
    """How many rest on each of these wordings, by their hashes."""
    moment, wanted = consent.c.decided_at, list(hashes)
    theirs = among(consent.c.text_hash, wanted)
    standing = select(
        consent.c.text_hash,
        func.count().label("number"),
        func.min(moment).label("since"),
        func.max(moment).label("until"),
    ).where(theirs, _standing(), fits(consent.c.id, moment))
    waiting = select(consent.c.text_hash, func.count().label("number")).where(
        theirs, consent.c.state == State.PENDING, fits(consent.c.id)
    )
    found = dict.fromkeys(wanted, Resting()) | {
        row.text_hash: Resting(standing=row.number, since=row.since, until=row.until)
        for row in await connection.execute(standing.group_by(consent.c.text_hash))
    }
    for row in await connection.execute(waiting.group_by(consent.c.text_hash)):
        found[row.text_hash] = replace(found[row.text_hash], waiting=row.number)
    return found


async def after(
    connection: AsyncConnection, text: str, last: str | None, limit: int, *, waiting: bool = True
) -> list[Named]:
    """The next consents by id that stand on *text*; with *waiting* also requests for it."""
    pending = consent.c.state == State.PENDING
    query = select(consent.c.id, consent.c.subject).where(
        consent.c.text_hash == text,
        _standing() | pending if waiting else _standing(),
        fits(consent.c.subject),
    )
    rows = await connection.execute(paging.by_name(query, consent.c.id, last, limit))
    return [Named(row.id, row.subject) for row in rows]


def _standing() -> ColumnElement[bool]:
    return consent.c.state == State.CONFIRMED
