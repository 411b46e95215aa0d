"""The log in the database: staging, sequencing, reading.

A staged event commits with the change that it tells of. Its index it gets
later, from whichever node sequences next: so indexes have no gaps, and nobody
who changes something waits for anybody else's event.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import any_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import nodes, numbers, staged, succession, tree
from audit.checkpoints import is_name
from audit.entry import (
    Draft,
    Entry,
    Event,
    draft,
    format_moment,
    parse,
)
from audit.errors import BadPending, EntryError, LogMissing, RowDamaged
from audit.kinds import Actor, Kind
from audit.rowmac import LOGGED, RowMacs
from audit.staged import Pending
from audit.tables import (
    audit_entry,
    audit_item,
    audit_payload,
    audit_pending,
    audit_state,
)
from audit.times import told_steps
from audit.tree import Frontier, leaf_hash
from storage import straight
from storage.keysets import KeySet
from storage.locks import try_alone
from storage.sound import sound
from storage.types import HASHES, upsert
from storage.writing import While, insert_all, insert_each

_SKIPPED = 1000  # rows read at once behind some that are not ours

# Made once: the sequencer asks them five times a second.
_OURS = audit_state.c.log == bindparam("of")
_FRONTIER = select(audit_state.c.size, audit_state.c.frontier).where(_OURS, sound(audit_state))
_EDGE = _FRONTIER.with_for_update()
_ADVANCE = (
    update(audit_state)
    .where(_OURS, audit_state.c.size == bindparam("old"))
    .values(size=bindparam("new"), frontier=bindparam("edge"))
    .returning(audit_state.c.size)
)
_AT = select(*LOGGED).where(audit_entry.c.leaf_index == bindparam("place"), sound(audit_entry))
_LOGGED = select(audit_entry.c.eid).where(
    audit_entry.c.eid == any_(bindparam("eids", type_=HASHES))
)


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry with its place in the log."""

    place: int
    entry: Entry

    @property
    def index(self) -> int:
        """Its place in its own log."""
        return succession.index_of(self.place)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Proof that an entry is in the tree of *size*, whose root a checkpoint gives."""

    index: int
    entry: bytes
    leaf_hash: bytes
    path: Sequence[bytes]
    size: int


@dataclass(frozen=True, slots=True)
class LetGo:
    """How many of a person's facts an erasure deleted."""

    payloads: int  # of compartment evidence: every event of a person has one
    items: int

    @property
    def refs(self) -> dict[str, str]:
        """For the event that tells of it: what is gone and not accounted for was not erased."""
        return {"payloads": str(self.payloads), "items": str(self.items)}


class Log:
    """One log: its origin, the keys of its row MACs, and the node that writes.

    Of a successor give the origin of the *first* and which it is.
    """

    def __init__(self, first: str, mac_keys: KeySet, node: str, generation: int = 1) -> None:
        self.first = first
        self.generation = generation
        self.origin = succession.name_of(first, generation)
        self.base = succession.base_of(generation)
        if not is_name(self.origin):
            raise ValueError("an origin is printable ASCII without space and plus")
        self.node = node
        # Places tell the logs apart, also those of staged rows: see `numbers.begin_behind`.
        self.macs = RowMacs(mac_keys, first, self.base)
        self._keys = mac_keys

    def successor(self, generation: int) -> Log:
        """The log of that number, of the same installation."""
        return Log(self.first, self._keys, self.node, generation)

    async def open_log(self, connection: AsyncConnection, now: datetime) -> bool:
        """Begin the log with `log.opened`; False, and nothing done, where it exists.

        The guard is made first (`Publisher.create_guard`), or a log could run
        unwatched.
        """
        row = {"log": self.origin, "size": 0, "frontier": b""}
        statement = upsert(connection, audit_state).values(row).on_conflict_do_nothing()
        if (await connection.execute(statement)).rowcount == 0:
            return False
        event = Event(Kind.LOG_OPENED, Actor.SYSTEM, now)
        await self.stage(connection, [draft(event, None, self.node)])
        return True

    async def stage(
        self,
        connection: AsyncConnection,
        drafts: Sequence[Draft],
        drawn: Sequence[int] = (),
        provided: While | None = None,
    ) -> bool:
        """Write events that commit with this transaction; the last thing in it.

        Numbers are drawn here: after all locks are held, events of transactions
        that exclude each other are numbered in the order of their locks. Whoever holds none
        may have *drawn* them before. False, and nothing written, where it is not so what was
        *provided*.
        """
        if not drafts:
            return True
        if len(drawn) < len(drafts):
            drawn = await numbers.draw(connection, len(drafts), self.macs.staged)
        pending = [
            {"n": n, "eid": one.eid, "entry": one.entry} | self.macs.pending(n, one.entry)._asdict()
            for n, one in zip(drawn, drafts, strict=False)
        ]
        payloads, items = (audit_payload, _payloads(drafts)), (audit_item, _items(drafts))
        told = (audit_pending, pending)
        return await insert_each(connection, told, payloads, items, provided=provided)

    async def sequence(
        self, connection: AsyncConnection, limit: int = 1024, *, now: datetime | None = None
    ) -> int | None:
        """Give the oldest staged events the next indexes; return how many, or None.

        None: another node is at it. Only committed rows are seen, so an index
        never waits for a transaction. Raises `BadPending` for a row that no
        gateway staged: let it end the transaction, and the row stays where it is;
        nothing is sequenced until somebody has looked at it. Where *now* shows
        that the clock was set back, that is told first, as an event of its own.
        """
        frontier = await self.held(connection)
        if frontier is None:
            return None
        checked = await self.take(connection, limit)
        return await self.append(connection, frontier, checked, now) if checked else 0

    async def take(self, connection: AsyncConnection, limit: int) -> list[tuple[Entry, bytes]]:
        """Take the oldest staged rows away, for whoever holds the right edge and appends them."""
        taken = await staged.take(connection, limit)
        entries = (one.entry for one in taken)
        return [*zip(await self._check(connection, taken), entries, strict=True)]

    async def held(self, connection: AsyncConnection) -> Frontier | None:
        """The right edge, for whoever appends until this transaction ends; None: another does."""
        if not await try_alone(connection, f"audit sequencer {self.origin}"):
            return None
        return await self._frontier(connection, locked=True)

    async def append(
        self,
        connection: AsyncConnection,
        frontier: Frontier,
        checked: Sequence[tuple[Entry, bytes]],
        now: datetime | None,
    ) -> int:
        """Give entries of ours the next indexes behind `held`, and say how many got one."""
        start = frontier.size
        if now is not None:
            last = await self._entry_at(connection, start - 1) if start else None
            checked = [*told_steps(checked, last, now, self.node)]
        leaves = [leaf_hash(entry) for _, entry in checked]
        rows = [
            _row(place, *parts, leaf, self.macs)
            for place, (parts, leaf) in enumerate(
                zip(checked, leaves, strict=True), self.base + start
            )
        ]
        await insert_all(connection, audit_entry, rows)
        await nodes.keep(connection, frontier.extend(leaves), self.base)
        await self._advance(connection, start, frontier)
        return len(rows)

    async def size(self, connection: AsyncConnection) -> int:
        """How many entries have an index."""
        return (await self.frontier(connection)).size

    async def frontier(self, connection: AsyncConnection) -> Frontier:
        """The right edge of the tree as it stands; raises `LogMissing` before `open_log`."""
        return await self._frontier(connection, locked=False)

    async def events(
        self,
        connection: AsyncConnection,
        *,
        kind: Kind | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> list[Logged]:
        """Sequenced events by place, from *since* up to, not including, *until*.

        Rows that no gateway wrote are left out, and cover entries, which tell of
        nothing, where their kind is not asked for. *after* is the place that the page
        before ended with. Those of a log that was closed come before its successor's.
        """
        query = select(*LOGGED)
        query = query.where(sound(audit_entry)).order_by(audit_entry.c.leaf_index)
        wanted = audit_entry.c.kind
        query = query.where(wanted != Kind.LOG_COVER if kind is None else wanted == kind)
        if since is not None:
            query = query.where(audit_entry.c.at >= format_moment(since))
        if until is not None:
            query = query.where(audit_entry.c.at < format_moment(until))
        found: list[Logged] = []
        last, at_once = -1 if after is None else after, limit
        while True:  # past rows that are not ours, or they would pass for the end
            query_page = query.where(audit_entry.c.leaf_index > last).limit(at_once)
            rows = (await connection.execute(query_page)).all()
            found += [one for row in rows if (one := self.logged(row)) is not None]
            if len(found) >= limit or len(rows) < at_once:
                return found[:limit]
            last, at_once = rows[-1].leaf_index, _SKIPPED

    async def inclusion(
        self, connection: AsyncConnection, eid: bytes, size: int | None = None
    ) -> Inclusion | None:
        """Prove that the event is in its log's tree of *size*, by default of all entries.

        None when it has no index below that size. To prove it to others, give
        the size of a checkpoint; of a log that was closed give it always.
        """
        query = select(audit_entry.c.leaf_index, audit_entry.c.entry, audit_entry.c.leaf_hash)
        query = query.where(audit_entry.c.eid == eid, sound(audit_entry))
        row = (await connection.execute(query.order_by(audit_entry.c.leaf_index))).first()
        if row is None:
            return None
        index = succession.index_of(row.leaf_index)
        if row.leaf_index >= self.base:
            grown = await self.size(connection)
            size = grown if size is None else min(size, grown)
        if size is None or index >= size:
            return None
        ranges = tree.inclusion_ranges(index, size)
        path = await nodes.range_roots(connection, ranges, row.leaf_index - index)
        return Inclusion(index, row.entry, row.leaf_hash, path, size)

    async def _frontier(self, connection: AsyncConnection, *, locked: bool) -> Frontier:
        rows = await straight.rows(connection, _EDGE if locked else _FRONTIER, {"of": self.origin})
        if not rows and not await self._is_there(connection):
            raise LogMissing(self.origin)
        try:
            (row,) = rows
            return Frontier(row.size, row.frontier)
        except ValueError:
            raise RowDamaged(audit_state.name) from None

    async def _is_there(self, connection: AsyncConnection) -> bool:
        query = (
            select(func.count()).select_from(audit_state).where(audit_state.c.log == self.origin)
        )
        return bool((await connection.execute(query)).scalar_one())

    async def _advance(self, connection: AsyncConnection, old: int, frontier: Frontier) -> None:
        edge = {"new": frontier.size, "edge": frontier.packed}
        if not await straight.rows(connection, _ADVANCE, {"of": self.origin, "old": old} | edge):
            raise RuntimeError("two sequencers at once")

    async def _entry_at(self, connection: AsyncConnection, index: int) -> Entry | None:
        """The entry at *index*; None where there is none that a gateway wrote."""
        rows = await straight.rows(connection, _AT, {"place": self.base + index})
        logged = self.logged(rows[0]) if rows else None
        return None if logged is None else logged.entry

    def logged(self, row: Any) -> Logged | None:
        """What a row with the columns `LOGGED` says; None where no gateway wrote it there."""
        if not self.macs.logged(row):
            return None
        try:
            return Logged(row.leaf_index, parse(row.entry))
        except EntryError:
            return None

    async def _check(self, connection: AsyncConnection, taken: Sequence[Pending]) -> list[Entry]:
        logged = await _logged(connection, [one.eid for one in taken])
        return [self._checked(one, logged) for one in taken]

    def _checked(self, one: Pending, logged: Collection[bytes]) -> Entry:
        if not self.macs.staged(one):
            raise BadPending(one.n, "its MAC is wrong")
        read = parse(one.entry)
        if read.eid != one.eid:
            raise BadPending(one.n, "its id is not that of its entry")
        if one.eid in logged:
            raise BadPending(one.n, "its event is in the log already")
        return read


async def entries(connection: AsyncConnection) -> int:
    """How many entries the log that is there says it has, whose ever it is."""
    query = select(func.coalesce(func.max(audit_state.c.size), 0))
    return int((await connection.execute(query)).scalar_one())


def _payloads(drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    return [
        {
            "eid": one.eid,
            "compartment": payload.compartment,
            "subject": payload.subject,
            "sealed": payload.sealed,
        }
        for one in drafts
        for payload in one.payloads
    ]


def _items(drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    return [
        {
            "eid": one.eid,
            "position": position,
            "subject": item.subject,
            "commitment": item.commitment,
            "sealed": item.sealed,
        }
        for one in drafts
        for position, item in enumerate(one.items)
    ]


async def _logged(connection: AsyncConnection, eids: Sequence[bytes]) -> set[bytes]:
    """Which of these events are in the log."""
    if connection.dialect.name == "postgresql":
        rows = await straight.rows(connection, _LOGGED, {"eids": eids})
    else:
        query = select(audit_entry.c.eid).where(audit_entry.c.eid.in_(eids))
        rows = (await connection.execute(query)).all()
    return {eid for (eid,) in rows}


def _row(place: int, read: Entry, entry: bytes, leaf: bytes, macs: RowMacs) -> dict[str, object]:
    return {
        "leaf_index": place,
        "eid": read.eid,
        "kind": read.kind,
        "at": format_moment(read.at),
        "entry": entry,
        "leaf_hash": leaf,
        **macs.entry(place, entry)._asdict(),
    }
