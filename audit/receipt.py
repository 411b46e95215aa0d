"""A receipt for a person: which entry says it, its commitment, and what was published over it.

Whoever has one can show later that the entry was altered, or is not there any more. It
holds public numbers only: no index, and of checkpoints the first public one that covers it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import public
from audit.canonical import encode
from audit.checkpoints import Verifier
from audit.entry import EVIDENCE, parse
from audit.errors import EntryError
from audit.log import Log
from audit.tables import audit_entry, audit_pending
from storage.ids import named
from storage.sound import sound


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is shown of one event; *checkpoint* is a signed note, once there is one."""

    event: str
    commitment: str
    checkpoint: str | None = None


async def of(
    connection: AsyncConnection, log: Log, verifier: Verifier, eids: Collection[bytes]
) -> Mapping[bytes, Receipt]:
    """The receipts of some events of people; none of one that cannot be read."""
    if not eids:
        return {}
    place = audit_entry.c.leaf_index
    logged = select(audit_entry.c.eid, audit_entry.c.entry, place).where(
        audit_entry.c.eid.in_(eids), sound(audit_entry)
    )
    staged = select(audit_pending.c.eid, audit_pending.c.entry, literal(None, place.type)).where(
        audit_pending.c.eid.in_(eids), sound(audit_pending)
    )
    # First those that have no index yet: one that gets it meanwhile is seen twice, not never.
    rows = [*await connection.execute(staged), *await connection.execute(logged)]
    found: dict[bytes, Receipt] = {}
    for eid, entry, at in rows:
        commitment = _commitment(entry)
        if commitment is not None:
            over = None if at is None else await public.first_over(connection, log, verifier, at)
            found[eid] = Receipt(named("evt", eid), commitment, over and over.note)
    return found


def _commitment(entry: bytes) -> str | None:
    try:
        made = parse(entry).commitments.get(EVIDENCE)
    except EntryError:
        return None
    return None if made is None else encode(made)
