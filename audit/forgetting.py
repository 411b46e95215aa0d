"""Facts that go, with their person or when their term is over; the log says how many.

Entries and commitments stay, so every root and every proof still verifies. Stage
`subject.erased` or `evidence.ended` with the `refs` of what is returned in the same
transaction: a verification takes anything else that is gone for tampering. So it must
say no more than what went. Rows count at places that the log vouches for, and while
there is a key, those that open as what was sealed for their place: one that somebody
planted, or filled again, would else account for one that he deletes elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import and_, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import strays
from audit.counted import Counted
from audit.entry import EVIDENCE, Entry, Opener, item_place, parse
from audit.errors import EntryError
from audit.kinds import Kind
from audit.log import LetGo, Log
from audit.rowmac import LOGGED, STAGED
from audit.tables import audit_entry, audit_item, audit_payload, audit_pending
from audit.trail import Opening, open_one
from storage import paging
from storage.locks import in_order
from storage.sound import sound
from storage.types import NO_MOMENT, among

T = TypeVar("T")

_THROUGH = "through"
_AT_ONCE = 100  # events that account for something, the newest first
_PLACES = 5000  # of one statement


@dataclass(frozen=True, slots=True)
class Stretch:
    """The next batch events whose term is over: *through* is the last, *looked* the last row."""

    kinds: Mapping[bytes, Kind]  # by eid, in their order
    through: int
    looked: int | None  # None: behind it is none whose term is over

    @property
    def refs(self) -> dict[str, str]:
        """For the event that says that this was gone through."""
        return {_THROUGH: str(self.through)}


@dataclass(frozen=True, slots=True)
class Theirs:
    """One item that is a person's, as it was sealed."""

    eid: bytes
    position: int
    subject: str


async def reached(connection: AsyncConnection, log: Log) -> int:
    """Through which index batches were gone through, as the log says it; -1 for none.

    Nothing else knows it: in a row beside the log somebody could write another, and facts
    would be counted twice, or stay.
    """
    staged = select(*STAGED).where(sound(audit_pending))
    rows = (await connection.execute(staged)).all()
    found = [_through(row.entry) for row in rows if log.macs.staged(row)]
    index = audit_entry.c.leaf_index
    ended = select(*LOGGED).where(audit_entry.c.kind == Kind.EVIDENCE_ENDED, sound(audit_entry))
    below: int | None = None
    while max(found, default=-1) < 0:
        query = ended if below is None else ended.where(index < below)
        rows = (await connection.execute(query.order_by(index.desc()).limit(_AT_ONCE))).all()
        found += [_through(row.entry) for row in rows if log.macs.logged(row)]
        if len(rows) < _AT_ONCE:
            break
        below = rows[-1].leaf_index
    return max(found, default=-1)


def _through(raw: bytes) -> int:
    entry = _parsed(raw)
    if entry is None or entry.kind is not Kind.EVIDENCE_ENDED:
        return -1
    return int(entry.refs.get(_THROUGH, -1))


def _parsed(raw: bytes) -> Entry | None:
    try:
        return parse(raw)
    except EntryError:
        return None


async def over(
    connection: AsyncConnection,
    log: Log,
    kinds: Collection[Kind],
    before: datetime,
    after: int,
    limit: int,
) -> Stretch:
    """The batch events of *kinds* behind *after*, up to the first of a moment after *before*.

    A row that no gateway wrote there is passed over, and moves no place.
    """
    index = audit_entry.c.leaf_index
    query = select(*LOGGED).where(audit_entry.c.kind.in_(kinds), index > after, sound(audit_entry))
    query = query.order_by(index).limit(limit + 1)
    rows, last = paging.cut((await connection.execute(query)).all(), limit)
    found: dict[bytes, Kind] = {}
    through = after
    for row in rows:
        said = log.logged(row)
        if said is None or said.entry.kind not in kinds:
            continue
        if said.entry.at > before:
            return Stretch(found, through, None)
        found[said.entry.eid] = said.entry.kind
        through = said.place
    return Stretch(found, through, None if last is None else last.leaf_index)


async def vouched(
    connection: AsyncConnection, log: Log, eids: Collection[bytes], before: datetime
) -> set[bytes]:
    """Which of *eids* are events of up to *before*, or were gone through, as the log says it."""
    through = await reached(connection, log)
    query = select(*LOGGED).where(audit_entry.c.eid.in_(list(eids)), sound(audit_entry))
    said = [log.logged(row) for row in await connection.execute(query)]
    return {
        one.entry.eid
        for one in said
        if one is not None and (one.place <= through or one.entry.at <= before)
    }


async def stored(connection: AsyncConnection, eids: Collection[bytes]) -> Sequence[Any]:
    """The items of these events that are somebody's, as they are stored."""
    if not eids:
        return []
    row = audit_item.c
    query = select(audit_item).where(
        row.eid.in_(list(eids)), row.subject.is_not(None), row.sealed.is_not(None)
    )
    return (await connection.execute(query.where(sound(audit_item)))).all()


async def left(
    connection: AsyncConnection,
    kinds: Collection[Kind],
    through: int,
    after: tuple[int, int],
    limit: int,
) -> Sequence[Any]:
    """The next items that are somebody's of events of *kinds* up to *through*, by their places."""
    place = audit_entry.c.leaf_index, audit_item.c.position
    query = select(audit_entry.c.leaf_index, audit_entry.c.kind, *audit_item.c).join_from(
        audit_entry, audit_item, audit_item.c.eid == audit_entry.c.eid
    )
    query = query.where(
        audit_entry.c.kind.in_(kinds),
        audit_entry.c.leaf_index.between(max(after[0], 0), through),
        tuple_(*place) > tuple_(*after),
        audit_item.c.subject.is_not(None),
        audit_item.c.sealed.is_not(None),
        sound(audit_entry),
        sound(audit_item),
    )
    return (await connection.execute(query.order_by(*place).limit(limit))).all()


def opened(rows: Sequence[Any], opener: Opener) -> list[Theirs]:
    """Those that open as what was sealed for their place, and for whom they name.

    What has no key stays: nobody could tell what it is.
    """
    return [
        Theirs(row.eid, row.position, row.subject)
        for row in rows
        if open_one(
            opener,
            row.subject,
            EVIDENCE,
            item_place(row.eid, row.position),
            row.sealed,
            row.commitment,
        )[0]
        is Opening.OPENED
    ]


async def items(connection: AsyncConnection, going: Sequence[Theirs]) -> LetGo:
    """Empty these items, as far as nobody else did so meanwhile."""
    row = audit_item.c
    blank = update(audit_item).values(subject=None, sealed=None)
    gone = 0
    # In the order of their keys, as whoever erases people does: else both wait for each other.
    for places in _groups(sorted((one.eid, one.position) for one in going)):
        named = and_(tuple_(row.eid, row.position).in_(places), row.subject.is_not(None))
        gone += (await connection.execute(blank.where(in_order(audit_item, named)))).rowcount
    return LetGo(0, gone)


def _groups(these: Iterable[T]) -> Iterator[list[T]]:
    left = iter(these)
    while group := list(islice(left, _PLACES)):
        yield group


async def lock_items(connection: AsyncConnection, subjects: Collection[str]) -> None:
    """Lock what the log says of mails to these people; before `erase`, for all of a transaction."""
    row = audit_item.c
    query = select(row.position).where(among(row.subject, subjects))
    await connection.execute(query.order_by(row.eid, row.position).with_for_update())


async def keep_evidence(connection: AsyncConnection, subject: str) -> None:
    """Delete a person's payloads but those of compartment `evidence`, of which items are, too."""
    row = audit_payload.c
    others = delete(audit_payload).where(row.subject == subject, row.compartment != EVIDENCE)
    await connection.execute(others)


async def erase(
    connection: AsyncConnection, log: Log, subject: str, counted: Counted | None
) -> LetGo:
    """Delete a person's facts; repeating is safe. Batch items keep their commitments.

    Give what was *counted* while they had keys. What stands under their name beside it may
    be anybody's: it is put aside, and a verification names it. So is all of it where nobody
    could count.
    """
    counted = counted or Counted(NO_MOMENT, frozenset(), frozenset())
    for table in (audit_payload, audit_item):
        await strays.put_odd_aside(connection, table, subject)
    payload, item = audit_payload.c, audit_item.c
    query = select(payload.eid, payload.compartment).where(payload.subject == subject)
    proofs = [(eid, part) for eid, part in await connection.execute(query)]
    query = select(item.eid, item.position).where(item.subject == subject)
    places = [(eid, position) for eid, position in await connection.execute(query)]
    known = await _events(connection, log, {eid for eid, _ in (*proofs, *places)})
    theirs = [one for one in proofs if one[0] in counted.payloads]
    for some in _groups(theirs):
        these = tuple_(payload.eid, payload.compartment).in_(some)
        await connection.execute(delete(audit_payload).where(these))
    going = [one for one in places if counted.has_item(one, known.get(one[0]))]
    await items(connection, [Theirs(*place, subject) for place in going])
    await strays.put_aside(connection, audit_payload, [*{*proofs}.difference(theirs)])
    await strays.put_aside(connection, audit_item, [*{*places}.difference(going)])
    return LetGo(
        sum(_has_proof(known.get(eid)) for eid, part in theirs if part == EVIDENCE),
        sum(eid in known and _has(known[eid], position) for eid, position in going),
    )


def _has_proof(event: Entry | None) -> bool:
    return event is not None and EVIDENCE in event.commitments


def _has(entry: Entry, position: object) -> bool:
    """Whether a batch event has an item there; a row may say anything."""
    batch = entry.batch
    return batch is not None and isinstance(position, int) and 0 <= position < batch.count


async def _events(
    connection: AsyncConnection, log: Log, eids: Collection[object]
) -> dict[bytes, Entry]:
    """The events among *eids* that a gateway logged or staged."""
    found: dict[bytes, Entry] = {}
    for group in _groups({one for one in eids if isinstance(one, bytes)}):
        staged = select(*STAGED).where(audit_pending.c.eid.in_(group), sound(audit_pending))
        logged = select(*LOGGED).where(audit_entry.c.eid.in_(group), sound(audit_entry))
        for query, ours in ((staged, log.macs.staged), (logged, log.macs.logged)):
            rows = (await connection.execute(query)).all()
            read = [_parsed(row.entry) for row in rows if ours(row)]
            found |= {one.eid: one for one in read if one is not None}
    return found


async def payloads(connection: AsyncConnection, subject: str, eids: Collection[bytes]) -> LetGo:
    """Delete what these events say of a person: those whose facts opened."""
    row = audit_payload.c
    gone = delete(audit_payload).where(row.subject == subject, row.eid.in_(eids))
    deleted = (await connection.execute(gone.returning(row.compartment))).scalars()
    return LetGo(list(deleted).count(EVIDENCE), 0)
