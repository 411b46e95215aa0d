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

    Of events that a gateway wrote; use a snapshot.
    """
    where = (audit_entry.c.kind == kind, audit_entry.c.at >= format_moment(since))
    query = select(*LOGGED).where(*where, audit_entry.c.at < format_moment(until))
    events = await _events(connection, macs, query)
    there = {eid: one for eid, one in events.items() if one.entry.kind is kind}
    inside = {eid: one for eid, one in there.items() if since <= one.entry.at < until}
    return await _with_items(connection, inside)


async def of_person(
    connection: AsyncConnection,
    macs: RowMacs,
    subject: str,
    kinds: Collection[Kind],
    since: datetime,
    most: int,
) -> Stored:
    """The items of one person in events of *kinds* since then, the newest *most*; as `stored`."""
    item, entry = audit_item.c, audit_entry.c
    query = select(*LOGGED, item.eid, item.position, item.subject, item.commitment, item.sealed)
    query = query.join(audit_item, item.eid == entry.eid)
    query = query.where(item.subject == subject, entry.kind.in_(kinds), sound(audit_item))
    query = query.where(entry.at >= format_moment(since), sound(audit_entry))
    found = (await connection.execute(query.order_by(entry.leaf_index.desc()).limit(most))).all()
    logged = {
        row.eid: one for row in found if (one := _placed(macs.logged(row), row, row.leaf_index))
    }
    waiting = {
        eid: one
        for eid, one in (await _staged(connection, macs)).items()
        if one.entry.kind in kinds
    }
    staged = await _with_items(connection, waiting)
    rows = [row for row in staged.rows if row.subject == subject and row.eid not in logged]
    return Stored(waiting | logged, [*(row for row in found if row.eid in logged), *rows], 0)


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


async def _events(connection: AsyncConnection, macs: RowMacs, logged: Any) -> dict[bytes, Placed]:
    """Staged ones first: one that gets its index in between is then found in the log."""
    found = await _staged(connection, macs)
    for row in await connection.execute(logged.where(sound(audit_entry))):
        one = _placed(macs.logged(row), row, row.leaf_index)
        found |= {} if one is None else {one.entry.eid: one}
    return found


async def _staged(connection: AsyncConnection, macs: RowMacs) -> dict[bytes, Placed]:
    rows = await connection.execute(select(*STAGED).where(sound(audit_pending)))
    read = (_placed(macs.staged(row), row, None) for row in rows)
    return {one.entry.eid: one for one in read if one is not None}


def _placed(is_ours: bool, row: Any, place: int | None) -> Placed | None:
    entry = parsed(row.entry) if is_ours else None
    return None if entry is None else Placed(entry, place)


async def _with_items(connection: AsyncConnection, events: Mapping[bytes, Placed]) -> Stored:
    rows: list[Any] = []
    for some in _groups(list(events)):
        query = select(audit_item).where(audit_item.c.eid.in_(some), sound(audit_item))
        rows += (await connection.execute(query)).all()
    gone = sum(row.sealed is None for row in rows)
    theirs = [row for row in rows if row.subject is not None and row.sealed is not None]
    return Stored(events, theirs, gone)


def _groups(eids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(eids), _AT_ONCE):
        yield eids[start : start + _AT_ONCE]
