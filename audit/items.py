"""What batch events say of people's mails, for whoever goes through all of it.

A person's own events are in `audit.trail`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import EVIDENCE, Opener, committed, facts_of, item_place
from audit.kinds import Kind
from audit.tables import audit_entry, audit_item, audit_pending
from audit.trail import Told, open_one, parsed
from storage.sound import fits, sound
from storage.types import among


async def people(connection: AsyncConnection, after: str, limit: int) -> list[str]:
    """The next people by id of whom batch events tell, for whoever goes through them all."""
    subject = audit_item.c.subject
    query = select(subject).where(subject > after, fits(subject)).distinct()
    return list((await connection.execute(query.order_by(subject).limit(limit))).scalars())


async def told(
    connection: AsyncConnection, subjects: Collection[str], kinds: Collection[Kind], opener: Opener
) -> list[Told]:
    """What batch events of *kinds* say of these people, in their order; as `trail.told`."""
    found = []
    for row in await _rows(connection, kinds, subjects):
        entry = parsed(row.entry)
        if entry is None or entry.kind not in kinds:
            continue
        place = item_place(row.eid, row.position)
        _, facts = open_one(opener, row.subject, EVIDENCE, place, row.sealed, row.commitment)
        if facts is not None:
            found.append(Told(row.subject, entry, row.commitment, facts))
    return found


async def _rows(
    connection: AsyncConnection, kinds: Collection[Kind], subjects: Collection[str]
) -> list[Any]:
    """Items with their entries, those of staged events last."""
    found: list[Any] = []
    for table, order in (
        (audit_entry, audit_entry.c.leaf_index),
        (audit_pending, audit_pending.c.n),
    ):
        query = select(audit_item, table.c.entry).join(table, table.c.eid == audit_item.c.eid)
        query = query.where(among(audit_item.c.subject, subjects), sound(audit_item), sound(table))
        if table is audit_entry:
            query = query.where(audit_entry.c.kind.in_(kinds))
        found += await connection.execute(query.order_by(order, audit_item.c.position))
    return found


@dataclass(frozen=True, slots=True)
class OfNobody:
    """What an item says that names nobody, and is not sealed."""

    kind: Kind
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """What some batch events say of nobody, and the index that they end with; None: no more."""

    found: Sequence[OfNobody]
    last: int | None


async def of_nobody(
    connection: AsyncConnection, kinds: Collection[Kind], after: int, limit: int
) -> Page:
    """Go through the next batch events of *kinds*.

    An item may be anybody's whose row was planted: the verification of the log names that.
    """
    index = audit_entry.c.leaf_index
    query = select(index, audit_entry.c.eid, audit_entry.c.entry).order_by(index).limit(limit)
    query = query.where(audit_entry.c.kind.in_(kinds), index > after, sound(audit_entry))
    rows = (await connection.execute(query)).all()
    events = {row.eid: entry for row in rows if (entry := parsed(row.entry)) is not None}
    unsealed = select(audit_item).where(
        audit_item.c.eid.in_(list(events)),
        audit_item.c.subject.is_(None),
        audit_item.c.sealed.is_not(None),
        sound(audit_item),
    )
    found = [
        OfNobody(events[row.eid].kind, facts)
        for row in await connection.execute(unsealed)
        if committed(row.sealed) == row.commitment and (facts := _read(row.sealed)) is not None
    ]
    return Page(found, rows[-1].leaf_index if rows else None)


def _read(sealed: bytes) -> Mapping[str, Any] | None:
    try:
        facts: object = facts_of(sealed)
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None
