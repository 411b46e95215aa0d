"""What the log holds of one person, opened for who may see it, beside what it commits to."""

from __future__ import annotations

from array import array
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import succession, tree
from audit.canonical import canonical, encode
from audit.entry import (
    EVIDENCE,
    Entry,
    Opener,
    committed,
    facts_of,
    item_place,
    payload_place,
)
from audit.errors import KeyDamaged
from audit.kinds import Kind
from audit.tables import audit_entry, audit_item, audit_payload
from audit.trail import by_event, parsed
from storage.database import Database
from storage.sound import sound

_AT_ONCE = 100  # events; of a batch the commitments of all its items are read


class Showing(StrEnum):
    """What becomes of facts that could be opened."""

    OPENED = "opened"
    WITHHELD = "withheld"  # that there are some is said
    LEFT_OUT = "left out"  # of a batch, whose items need not follow each other


class Disclosed(NamedTuple):
    """A payload or an item, as `docs/formats/bundle.md` has its line, and the entry it is of."""

    entry: Entry
    said: dict[str, Any]


# Says it of an event's kind and facts, which it is asked for in the order of the log.
Judge = Callable[[Kind, Mapping[str, Any]], Showing]


@dataclass(slots=True)
class Disclosing:
    """Opens one person's facts; *still* raises where that may not be any more.

    *kind* says what the bundle is about: the person, or one consent of theirs.
    Of batch events those of *events* alone, where they are given.
    """

    subject: str
    opener: Opener
    judge: Judge
    still: Callable[[AsyncConnection], Awaitable[None]]
    events: Collection[bytes] | None = None
    kind: str = "person"
    _places: dict[int, array[int]] = field(default_factory=dict)  # of each log, by its base

    async def places(self, connection: AsyncConnection, base: int, size: int) -> Sequence[int]:
        """Where the entries about them stand, in the log from *base* on; `lines` follows them."""
        mails = select(audit_item.c.eid).where(audit_item.c.subject == self.subject)
        if self.events is not None:
            mails = mails.where(audit_item.c.eid.in_(self.events))
        own = select(audit_payload.c.eid).where(audit_payload.c.subject == self.subject)
        theirs = union(own, mails)
        place = audit_entry.c.leaf_index
        query = select(place).where(audit_entry.c.eid.in_(theirs), sound(audit_entry))
        query = query.where(place >= base, place < base + size).order_by(place)
        found = array("q")
        async for at in await connection.stream_scalars(query):
            found.append(at)
        self._places[base] = found
        return found

    async def lines(self, data: Database) -> AsyncIterator[bytes]:
        """A line for each of their facts, in the order of the log."""
        async for page in self.pages(data):
            yield b"".join(canonical(line) + b"\n" for _, line in page)

    async def pages(self, data: Database) -> AsyncIterator[list[Disclosed]]:
        """The same before they are written, each with its entry."""
        for _, places in sorted(self._places.items()):
            for start in range(0, len(places), _AT_ONCE):
                async with data.read() as connection:
                    await self.still(connection)
                    page = await _Page.read(connection, places[start : start + _AT_ONCE])
                yield list(self._of_page(page))

    def _of_page(self, page: _Page) -> Iterator[Disclosed]:
        for place, entry in page.entries:
            at = {"index": succession.index_of(place), "log": succession.generation_of(place)}
            for row in page.payloads.get(entry.eid, ()):
                if row.subject == self.subject and row.compartment in entry.commitments:
                    yield Disclosed(entry, at | self._payload(entry, row))
            for row in page.items.get(entry.eid, ()):
                if row.subject == self.subject:
                    said = self._item(entry, row, page.items[entry.eid])
                    yield from () if said is None else (Disclosed(entry, at | said),)

    def _payload(self, entry: Entry, row: Any) -> dict[str, Any]:
        place, commitment = payload_place(entry.eid), entry.commitments[row.compartment]
        opened, why = self._open(entry, row.compartment, place, row.sealed, commitment)
        if opened is None:
            return {"compartment": row.compartment, "subject": self.subject, "why": why}
        return {"compartment": row.compartment, "opened": encode(opened)}

    def _item(self, entry: Entry, row: Any, batch: Sequence[Any]) -> dict[str, Any] | None:
        place = item_place(entry.eid, row.position)
        opened, _ = self._open(entry, EVIDENCE, place, row.sealed, row.commitment)
        there = [one.position for one in batch] == list(range(len(batch)))
        if opened is None or not there:
            return None
        leaves = [tree.leaf_hash(one.commitment) for one in batch]
        path = tree.inclusion_proof(leaves, row.position)
        return {
            "opened": encode(opened),
            "path": [encode(one) for one in path],
            "position": row.position,
        }

    def _open(
        self,
        entry: Entry,
        compartment: str,
        place: tuple[str, str, str],
        sealed: bytes | None,
        commitment: bytes,
    ) -> tuple[bytes | None, str]:
        """Salt and facts; or why not."""
        try:
            opened = None
            if sealed is not None:
                opened = self.opener.open(self.subject, compartment, place, sealed)
        except KeyDamaged:
            return None, "key damaged"
        except ValueError:
            return None, "altered"
        if opened is None:
            return None, "erased"
        if committed(opened) != commitment:
            return None, "altered"
        showing = self.judge(entry.kind, facts_of(opened))
        return (opened, "") if showing is Showing.OPENED else (None, showing)


@dataclass(frozen=True, slots=True)
class _Page:
    """Some entries, with what is stored beside them."""

    entries: list[tuple[int, Entry]]
    payloads: Mapping[bytes, Sequence[Any]]
    items: Mapping[bytes, Sequence[Any]]

    @classmethod
    async def read(cls, connection: AsyncConnection, places: Sequence[int]) -> _Page:
        place = audit_entry.c.leaf_index
        query = select(place, audit_entry.c.entry).where(place.in_(places), sound(audit_entry))
        rows = (await connection.execute(query.order_by(place))).all()
        entries = [(at, read) for at, raw in rows if (read := parsed(raw)) is not None]
        eids = [entry.eid for _, entry in entries]
        found = []
        for table, order in (
            (audit_payload, audit_payload.c.compartment),
            (audit_item, audit_item.c.position),
        ):
            beside = select(table).where(table.c.eid.in_(eids), sound(table)).order_by(order)
            found.append(by_event((await connection.execute(beside)).all()))
        return cls(entries, *found)
