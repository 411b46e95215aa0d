"""A person's events, opened and checked against what was committed to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select, union, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.canonical import encode
from audit.entry import (
    EVIDENCE,
    Entry,
    Opener,
    batch_root,
    committed,
    facts_of,
    format_moment,
    item_place,
    parse,
    payload_place,
)
from audit.errors import EntryError, KeyDamaged
from audit.kinds import Kind
from audit.rowmac import LOGGED, STAGED, RowMacs
from audit.tables import audit_entry, audit_item, audit_payload, audit_pending
from storage.sound import sound


class Opening(StrEnum):
    """What became of a sealed payload."""

    OPENED = "opened"
    ERASED = "erased"  # the key is gone
    ALTERED = "altered"  # not what was sealed or committed to
    KEY_DAMAGED = "key damaged"  # it is there, and cannot be used


# What a verification says of a payload that was neither opened nor erased.
FLAWS = {
    Opening.ALTERED: "is not what the entry commits to",
    Opening.KEY_DAMAGED: "is sealed under a key that is there and cannot be used",
}


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One payload, or one item of a batch event; facts only where it opened and fits."""

    compartment: str
    position: int | None  # among the items of a batch event
    opening: Opening
    facts: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class TrailEvent:
    """An event that concerns the person, and what it says of them."""

    index: int
    entry: Entry
    disclosures: Sequence[Disclosure]


async def trail(
    connection: AsyncConnection,
    subject: str,
    opener: Opener,
    *,
    after: int | None = None,
    limit: int = 1000,
) -> list[TrailEvent]:
    """A person's sequenced events by index; *after* is the index a page ended with."""
    logged = await _entries(connection, subject, after, limit)
    eids = [entry.eid for entry in logged.values()]
    payloads = await _payloads(connection, subject, eids)
    items = await _items(connection, subject, eids)
    return [
        TrailEvent(index, entry, [*_opened(entry, payloads, items, opener)])
        for index, entry in logged.items()
    ]


@dataclass(frozen=True, slots=True)
class Told:
    """What one event says of a person, opened and checked."""

    subject: str
    entry: Entry
    commitment: bytes
    facts: Mapping[str, Any]

    @property
    def eid(self) -> bytes:
        return self.entry.eid

    @property
    def kind(self) -> Kind:
        return self.entry.kind


async def told(
    connection: AsyncConnection, subjects: Sequence[str], kinds: Collection[Kind], opener: Opener
) -> list[Told]:
    """What the log and the staged events say of these people, in its order.

    Facts that do not open or do not fit are left out; a verification names
    them. Read a snapshot, or an event that gets its index meanwhile is missed.
    """
    rows = await sealed_of(connection, subjects, kinds)
    return [one for row in rows if (one := told_by(row, kinds, opener)) is not None]


async def sealed_of(
    connection: AsyncConnection, subjects: Sequence[str], kinds: Collection[Kind]
) -> list[Any]:
    """The rows that `told` opens by `told_by`; whoever has many of them opens them aside."""
    found: list[Any] = []
    for table, order in (
        (audit_entry, audit_entry.c.leaf_index),
        (audit_pending, audit_pending.c.n),
    ):
        query = select(audit_payload.c.subject, audit_payload.c.sealed, table.c.entry)
        query = query.join(table, table.c.eid == audit_payload.c.eid).where(
            audit_payload.c.subject.in_(subjects), audit_payload.c.compartment == EVIDENCE
        )
        query = query.where(sound(audit_payload), sound(table))
        if table is audit_entry:
            query = query.where(audit_entry.c.kind.in_(kinds))
        found += (await connection.execute(query.order_by(order))).all()
    return found


def told_by(row: Any, kinds: Collection[Kind], opener: Opener) -> Told | None:
    """What a row of an entry and its payload says; None where it does not open or does not fit."""
    entry = parsed(row.entry)
    if entry is None or entry.kind not in kinds:
        return None
    place, commitment = payload_place(entry.eid), entry.commitments.get(EVIDENCE)
    _, facts = open_one(opener, row.subject, EVIDENCE, place, row.sealed, commitment)
    if facts is None or commitment is None:
        return None
    return Told(row.subject, entry, commitment, facts)


async def untold(connection: AsyncConnection, eids: Collection[bytes]) -> dict[bytes, Kind]:
    """Which of *eids* are events, staged or logged, that say nothing of anybody, and their kinds.

    Who left while their key was missing left such a one.
    """
    entries = await _entries_of(connection, eids) if eids else []
    return {one.eid: one.kind for one in entries if not one.commitments and one.batch is None}


async def with_facts(connection: AsyncConnection, eids: Collection[bytes]) -> set[bytes]:
    """Of which of these events facts are still kept."""
    query = select(audit_payload.c.eid).where(audit_payload.c.eid.in_(eids))
    return set((await connection.execute(query)).scalars())


async def told_of_items(
    connection: AsyncConnection,
    eids: Collection[bytes],
    subjects: Collection[str],
    kinds: Collection[Kind],
    opener: Opener,
) -> list[Told]:
    """What batch events of *kinds* among *eids* say of these people, as `told`."""
    entries = await _entries_of(connection, eids)
    known = {one.eid: one for one in entries if one.kind in kinds}
    query = select(audit_item).where(
        audit_item.c.eid.in_(known), audit_item.c.subject.in_(subjects), sound(audit_item)
    )
    found = []
    for row in await connection.execute(query):
        place = item_place(row.eid, row.position)
        _, facts = open_one(opener, row.subject, EVIDENCE, place, row.sealed, row.commitment)
        if facts is not None:
            found.append(Told(row.subject, known[row.eid], row.commitment, facts))
    return found


async def places(connection: AsyncConnection, eids: Collection[bytes]) -> dict[bytes, int]:
    """Where these events stand in the log; those that wait for their index are missing."""
    query = select(audit_entry.c.eid, audit_entry.c.leaf_index).where(
        audit_entry.c.eid.in_(eids), sound(audit_entry)
    )
    return {row.eid: row.leaf_index for row in await connection.execute(query)}


async def event(connection: AsyncConnection, macs: RowMacs, eid: bytes) -> Entry | None:
    """The event of this id as a gateway staged or logged it; None where there is none."""
    logged = select(*LOGGED).where(audit_entry.c.eid == eid, sound(audit_entry))
    staged = select(*STAGED).where(audit_pending.c.eid == eid, sound(audit_pending))
    # Staged rows first: one that gets its index in between is then found in the log.
    for query, ours in ((staged, macs.staged), (logged, macs.logged)):
        row = (await connection.execute(query)).first()
        read = None if row is None or not ours(row) else parsed(row.entry)
        if read is not None and read.eid == eid:
            return read
    return None


async def happened(connection: AsyncConnection, macs: RowMacs, kind: Kind) -> bool:
    """Whether a gateway staged or logged an event of *kind*; see `happenings`."""
    return bool(await happenings(connection, macs, [kind]))


async def happenings(
    connection: AsyncConnection,
    macs: RowMacs,
    kinds: Collection[Kind],
    since: datetime | None = None,
) -> list[Entry]:
    """The events of *kinds* that a gateway logged or staged, in order; give such as are few.

    Reads all that is staged: nothing for a request to ask, but for the desk's, which are rare.
    """
    logged = select(*LOGGED).order_by(audit_entry.c.leaf_index)
    logged = logged.where(audit_entry.c.kind.in_(kinds), sound(audit_entry))
    if since is not None:
        logged = logged.where(audit_entry.c.at >= format_moment(since))
    staged = select(*STAGED).order_by(audit_pending.c.n).where(sound(audit_pending))
    found = []
    for query, ours in ((logged, macs.logged), (staged, macs.staged)):
        for row in await connection.execute(query):
            read = parsed(row.entry)
            if read is not None and read.kind in kinds and ours(row):
                found.append(read)
    return found


async def said_of_nobody(
    connection: AsyncConnection, events: Iterable[Entry]
) -> dict[bytes, dict[str, Any]]:
    """What batch events with one item say, by their ids, where it is about nobody and so unsealed.

    Only what the entry is bound to; an item that was altered or deleted is missing.
    """
    roots = {one.eid: one.batch.root for one in events if one.batch and one.batch.count == 1}
    query = select(audit_item).where(
        audit_item.c.eid.in_(list(roots)), audit_item.c.subject.is_(None), sound(audit_item)
    )
    return {
        row.eid: facts_of(row.sealed)
        for row in await connection.execute(query)
        if row.sealed is not None
        and committed(row.sealed) == row.commitment
        and batch_root([row.commitment]) == roots[row.eid]
    }


async def _entries_of(connection: AsyncConnection, eids: Collection[bytes]) -> list[Entry]:
    query = union_all(
        select(audit_pending.c.entry).where(audit_pending.c.eid.in_(eids), sound(audit_pending)),
        select(audit_entry.c.entry).where(audit_entry.c.eid.in_(eids), sound(audit_entry)),
    )
    entries = [parsed(one) for one in (await connection.execute(query)).scalars()]
    return [one for one in entries if one is not None]


def parsed(entry: bytes) -> Entry | None:
    """An entry as it stands in a row; None for what is none."""
    try:
        return parse(entry)
    except EntryError:
        return None


def gaps(events: Sequence[TrailEvent]) -> list[int]:
    """Indexes of events that do not follow the one before them in the person's trail.

    Give whole trails: the first page alone begins at the beginning. Events
    whose evidence did not open are passed over with the link behind them, and so are
    those that a later event says were let go when their term was over.
    """
    broken = []
    ended = frozenset(number for event in events for number in _let_go(event))
    expected: tuple[int, str | None] | None = (0, None)
    for event in events:
        facts = next(_evidence(event), None)
        if EVIDENCE not in event.entry.commitments:
            continue  # items of a batch stand by leaf and position
        if facts is not None and expected is not None and not _follows(facts, expected, ended):
            broken.append(event.index)
        last = encode(event.entry.commitments[EVIDENCE])
        expected = None if facts is None else (facts["sseq"] + 1, last)
    return broken


def _let_go(event: TrailEvent) -> Sequence[int]:
    """The numbers of the events that this one says are gone."""
    if event.entry.kind is not Kind.EVIDENCE_ENDED:
        return ()
    return next((facts["events"] for facts in _evidence(event)), ())


def _follows(
    facts: Mapping[str, Any], expected: tuple[int, str | None], ended: frozenset[int]
) -> bool:
    number, last = expected
    if facts["sseq"] == number:
        return bool(facts["sprev"] == last)
    return facts["sseq"] > number and ended.issuperset(range(number, facts["sseq"]))


def open_one(
    opener: Opener,
    subject: str,
    compartment: str,
    place: tuple[str, str, str],
    sealed: bytes | None,
    commitment: bytes | None,
) -> tuple[Opening, dict[str, Any] | None]:
    """Open a payload and compare it with its commitment before believing it."""
    if sealed is None:
        return Opening.ALTERED, None  # an erasure takes the subject with it
    try:
        opened = opener.open(subject, compartment, place, sealed)
    except KeyDamaged:
        return Opening.KEY_DAMAGED, None
    except ValueError:
        return Opening.ALTERED, None
    if opened is None:
        return Opening.ERASED, None
    if committed(opened) != commitment:
        return Opening.ALTERED, None
    return Opening.OPENED, facts_of(opened)


def _evidence(event: TrailEvent) -> Iterator[Mapping[str, Any]]:
    for one in event.disclosures:
        if one.position is None and one.compartment == EVIDENCE and one.facts is not None:
            yield one.facts


def _opened(
    entry: Entry,
    payloads: Mapping[bytes, list[Any]],
    items: Mapping[bytes, list[Any]],
    opener: Opener,
) -> Iterator[Disclosure]:
    for row in payloads.get(entry.eid, []):
        place = payload_place(entry.eid)
        commitment = entry.commitments.get(row.compartment)
        opening = open_one(opener, row.subject, row.compartment, place, row.sealed, commitment)
        yield Disclosure(row.compartment, None, *opening)
    for row in items.get(entry.eid, []):
        place = item_place(entry.eid, row.position)
        opening = open_one(opener, row.subject, EVIDENCE, place, row.sealed, row.commitment)
        yield Disclosure(EVIDENCE, row.position, *opening)


async def _entries(
    connection: AsyncConnection, subject: str, after: int | None, limit: int
) -> dict[int, Entry]:
    theirs = union(
        select(audit_payload.c.eid).where(audit_payload.c.subject == subject),
        select(audit_item.c.eid).where(audit_item.c.subject == subject),
    )
    query = select(audit_entry.c.leaf_index, audit_entry.c.entry)
    query = query.where(audit_entry.c.eid.in_(theirs), sound(audit_entry))
    if after is not None:
        query = query.where(audit_entry.c.leaf_index > after)
    rows = await connection.execute(query.order_by(audit_entry.c.leaf_index).limit(limit))
    read = ((row.leaf_index, parsed(row.entry)) for row in rows)
    return {index: entry for index, entry in read if entry is not None}


async def _payloads(
    connection: AsyncConnection, subject: str, eids: Sequence[bytes]
) -> dict[bytes, list[Any]]:
    query = select(audit_payload).where(
        audit_payload.c.subject == subject, audit_payload.c.eid.in_(eids), sound(audit_payload)
    )
    return by_event((await connection.execute(query.order_by(audit_payload.c.compartment))).all())


async def _items(
    connection: AsyncConnection, subject: str, eids: Sequence[bytes]
) -> dict[bytes, list[Any]]:
    query = select(audit_item).where(
        audit_item.c.subject == subject, audit_item.c.eid.in_(eids), sound(audit_item)
    )
    return by_event((await connection.execute(query.order_by(audit_item.c.position))).all())


def by_event(rows: Sequence[Any]) -> dict[bytes, list[Any]]:
    """The rows of each event, by its id and in their order."""
    found: dict[bytes, list[Any]] = {}
    for row in rows:
        found.setdefault(row.eid, []).append(row)
    return found
