"""What batch events of one moment say, for who knows when something was and not of whom.

A mail says when it was permitted: its signature has the second. No index leads from it to a
person, and none is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import EVIDENCE, Entry, Opener, format_moment, item_place
from audit.kinds import Kind
from audit.rowmac import LOGGED, STAGED, RowMacs
from audit.tables import audit_entry, audit_item, audit_pending
from audit.trail import Opening, open_one, parsed
from storage.sound import sound

_AT_ONCE = 500  # events of one statement


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry as a gateway wrote it, and its place in the log; None while it is staged."""

    entry: Entry
    place: int | None


@dataclass(frozen=True, slots=True)
class ItemFound:
    """One item of a batch event, with what it says."""

    of: Placed
    position: int
    subject: str
    facts: Mapping[str, Any] = field(repr=False)

    @property
    def at(self) -> datetime:
        return self.of.entry.at


@dataclass(frozen=True, slots=True)
class Stored:
    """Sealed items of some events; *gone* are those of which nothing is left but the commitment."""

    events: Mapping[bytes, Placed]
    rows: Sequence[Any]
    gone: int

    @property
    def subjects(self) -> set[str]:
        """Whose they are."""
        return {row.subject for row in self.rows}


async def stored(
    connection: AsyncConnection, macs: RowMacs, kind: Kind, since: datetime, until: datetime
) -> Stored:
    """The items of the batch events of *kind* from *since* up to, not including, *until*.

    Of those that a gateway wrote and that have their place: what is staged is found by its
    person alone. Use a snapshot.
    """
    entry = audit_entry.c
    query = select(*LOGGED).where(entry.kind == kind, entry.at >= format_moment(since))
    query = query.where(entry.at < format_moment(until), sound(audit_entry))
    rows = await connection.execute(query)
    read = (_placed(macs.logged(row), row, row.leaf_index) for row in rows)
    events = {
        one.entry.eid: one
        for one in read
        if one is not None and one.entry.kind is kind and since <= one.entry.at < until
    }
    found: list[Any] = []
    for some in _groups(list(events)):
        items = select(audit_item).where(audit_item.c.eid.in_(some), sound(audit_item))
        found += (await connection.execute(items)).all()
    gone = sum(row.sealed is None for row in found)
    theirs = [row for row in found if row.subject is not None and row.sealed is not None]
    return Stored(events, theirs, gone)


async def of_person(
    connection: AsyncConnection,
    macs: RowMacs,
    subject: str,
    kinds: Collection[Kind],
    since: datetime,
    most: int,
) -> Stored:
    """The items of one person in events of *kinds* since then, staged or logged, at most so many.

    The newest of the log's; as `stored`.
    """
    item, entry = audit_item.c, audit_entry.c
    columns = (item.eid, item.position, item.subject, item.commitment, item.sealed)
    theirs = (item.subject == subject, item.sealed.is_not(None), sound(audit_item))
    staged = select(*STAGED, *columns).join(audit_item, item.eid == audit_pending.c.eid)
    logged = select(*LOGGED, *columns).join(audit_item, item.eid == entry.eid)
    logged = logged.where(entry.kind.in_(kinds), entry.at >= format_moment(since))
    events: dict[bytes, Placed] = {}
    found = {}
    # Staged ones first: one that gets its index in between is then found in the log.
    for query, ours, order in (
        (staged.where(*theirs, sound(audit_pending)), macs.staged, audit_pending.c.n),
        (logged.where(*theirs, sound(audit_entry)), macs.logged, entry.leaf_index),
    ):
        for row in await connection.execute(query.order_by(order.desc()).limit(most)):
            one = _placed(ours(row), row, getattr(row, "leaf_index", None))
            if one is not None and one.entry.kind in kinds and one.entry.at >= since:
                events[row.eid] = one
                found[row.eid, row.position] = row
    return Stored(events, list(found.values()), 0)


def opened(found: Stored, opener: Opener) -> tuple[list[ItemFound], int]:
    """What they say, and how many no key opens any more; to be done aside."""
    said, lost = [], 0
    for row in found.rows:
        place = item_place(row.eid, row.position)
        opening, facts = open_one(opener, row.subject, EVIDENCE, place, row.sealed, row.commitment)
        lost += opening in (Opening.ERASED, Opening.KEY_DAMAGED)
        if facts is not None:
            said.append(ItemFound(found.events[row.eid], row.position, row.subject, facts))
    return said, lost


def _placed(is_ours: bool, row: Any, place: int | None) -> Placed | None:
    entry = parsed(row.entry) if is_ours else None
    return None if entry is None else Placed(entry, place)


def _groups(eids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(eids), _AT_ONCE):
        yield eids[start : start + _AT_ONCE]
