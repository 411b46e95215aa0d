"""People's own events as an act may believe them: each by its MAC, in the order of its trail.

A verification names rows that were tampered with; whoever is about to write under a
gate must not believe them in the first place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.canonical import encode
from audit.entry import EVIDENCE, Entry, Opener, Place, format_moment, item_place
from audit.kinds import Kind
from audit.rowmac import LOGGED, STAGED, RowMacs
from audit.tables import audit_entry, audit_item, audit_payload, audit_pending
from audit.trail import Told, open_one, parsed, told_by
from storage.sound import sound
from storage.types import among

_ALL = frozenset(Kind)
_TICK = timedelta(milliseconds=1)  # entries cut off what is less


async def of_people(
    connection: AsyncConnection, macs: RowMacs, subjects: Collection[str], opener: Opener
) -> dict[str, list[Told]]:
    """What gateways staged or logged about these people, each in the order of their own trail.

    Hold their gates. Facts that do not open or do not fit are left out: see `whole`.
    """
    found: dict[bytes, Told] = {}
    # Staged rows first: one that gets its index in between is then found in the log.
    for columns, ours in ((STAGED, macs.staged), (LOGGED, macs.logged)):
        for row in await _rows(connection, columns, subjects):
            one = told_by(row, _ALL, opener) if ours(row) else None
            if one is not None:
                found[one.eid] = one
    theirs: dict[str, list[Told]] = {subject: [] for subject in subjects}
    for one in sorted(found.values(), key=lambda told: int(told.facts["sseq"])):
        theirs[one.subject].append(one)
    return theirs


async def _rows(
    connection: AsyncConnection, columns: Sequence[Any], subjects: Collection[str]
) -> Sequence[Any]:
    table = audit_pending if columns is STAGED else audit_entry
    query = select(audit_payload.c.subject, audit_payload.c.sealed, *columns)
    query = query.join(table, table.c.eid == audit_payload.c.eid).where(
        among(audit_payload.c.subject, subjects), audit_payload.c.compartment == EVIDENCE
    )
    return (await connection.execute(query.where(sound(audit_payload), sound(table)))).all()


async def last_named(
    connection: AsyncConnection,
    macs: RowMacs,
    subjects: Collection[str],
    kinds: Collection[Kind],
    name: str,
) -> dict[str, bytes]:
    """The last event of *kinds* about these people for each thing that such call *name* in `refs`.

    Hold their gates. Asks for no key: nothing is opened.
    """
    staged = await _rows(connection, STAGED, subjects)  # first, as above
    logged = await _rows(connection, LOGGED, subjects)
    found: dict[str, bytes] = {}
    for rows, ours in ((logged, macs.logged), (staged, macs.staged)):
        for row in sorted(rows, key=lambda one: int(one[2])):  # the index, or the number
            entry = parsed(row.entry) if ours(row) else None
            if entry is not None and entry.kind in kinds and name in entry.refs:
                found[entry.refs[name]] = entry.eid
    return found


async def of_items(
    connection: AsyncConnection,
    macs: RowMacs,
    subjects: Collection[str],
    kind: Kind,
    since: datetime,
    opener: Opener,
) -> list[Told]:
    """What batch events of *kind*, later than *since*, say of these people, in no order."""
    found = []
    for row, entry in await _items(connection, macs, subjects, kind, since):
        place = item_place(row.eid, row.position)
        _, facts = open_one(opener, row.subject, EVIDENCE, place, row.sealed, row.commitment)
        if facts is not None:
            found.append(Told(row.subject, entry, row.commitment, facts))
    return found


async def batches_of(
    connection: AsyncConnection,
    macs: RowMacs,
    subjects: Collection[str],
    kind: Kind,
    since: datetime,
) -> Counter[tuple[str, bytes]]:
    """As `of_items`, of who has no key: by subject and event, in how many items it names them."""
    found = await _items(connection, macs, subjects, kind, since)
    return Counter((row.subject, entry.eid) for row, entry in found)


async def _items(
    connection: AsyncConnection,
    macs: RowMacs,
    subjects: Collection[str],
    kind: Kind,
    since: datetime,
) -> list[tuple[Any, Entry]]:
    found = []
    item, known = audit_item, audit_item.c.subject
    # Staged rows first, as above.
    for columns, ours in ((STAGED, macs.staged), (LOGGED, macs.logged)):
        table = audit_pending if columns is STAGED else audit_entry
        query = select(item.c.eid, item.c.position, known, item.c.commitment, item.c.sealed)
        query = query.add_columns(*columns).join(table, table.c.eid == item.c.eid)
        query = query.where(known.is_not(None), among(known, subjects), sound(item), sound(table))
        if table is audit_entry:
            query = query.where(table.c.kind == kind, table.c.at > format_moment(since))
        for row in (await connection.execute(query)).all():
            entry = parsed(row.entry) if ours(row) else None
            if entry is not None and entry.kind is kind and entry.at > since:
                found.append((row, entry))
    return found


def whole(events: Sequence[Told], place: Place) -> bool:
    """Whether events, in their order, are the whole trail up to *place*.

    Numbers that a later event says were let go may be missing, and no others.
    """
    return _follow(events, place, 0, None)


def whole_since(events: Sequence[Told], place: Place, since: datetime) -> bool:
    """As `whole`, of what may have happened from *since* on: earlier holes are nothing to it."""
    before = [at for at, one in enumerate(events) if one.entry.at + _TICK <= since]
    if not before:
        return whole(events, place)
    last = events[before[-1]]
    later = events[before[-1] + 1 :]
    return _follow(later, place, last.facts["sseq"] + 1, encode(last.commitment))


def _follow(events: Sequence[Told], place: Place, expected: int, last: str | None) -> bool:
    let_go = {number for one in events for number in _let_go(one)}
    for one in events:
        number = one.facts["sseq"]
        if number == expected:
            if one.facts["sprev"] != last:
                return False
        elif not let_go.issuperset(range(expected, number)) or number < expected:
            return False
        expected, last = number + 1, encode(one.commitment)
    return (place.length, place.last) == (expected, last)


def _let_go(one: Told) -> Sequence[int]:
    facts: Mapping[str, Any] = one.facts
    return facts["events"] if one.kind is Kind.EVIDENCE_ENDED else ()
