"""What the erasure ledger says of many: who lost keys since a moment, by their number alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys import tables
from consent.keys.vault import OF_PEOPLE, Compartment

ledger = tables.erasure_ledger


@dataclass(frozen=True, slots=True)
class Erased:
    """People whom a copy of the keys from before still opens; of *gone* nothing stands elsewhere.

    Of the others what proves their consents is locked, and their row stands with it.
    """

    people: int
    gone: int


async def erased_since(connection: AsyncConnection, since: datetime) -> Erased:
    """How many people were erased, or let go by their term, from then on."""
    theirs = ledger.c.subject.distinct()
    query = select(
        func.count(theirs),
        func.count(theirs).filter(ledger.c.compartment == Compartment.EVIDENCE),
    ).where(ledger.c.done_at >= since, ledger.c.compartment.in_(OF_PEOPLE))
    people, gone = (await connection.execute(query)).one()
    return Erased(people, gone)
