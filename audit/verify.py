"""Verifying the live log: every entry, in one pass, while the gateway runs.

Memory does not grow with the log, and no transaction stays open from one chunk
to the next. What is appended meanwhile is left to the next verification.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, and_, case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import published
from audit.canonical import decode
from audit.check import Claim, Commitments, EntryRow, Walk, hold, signed
from audit.checkpoints import Verifier
from audit.entry import EVIDENCE, Opener, batch_root, committed, item_place, payload_place
from audit.log import Log
from audit.losses import Losses, read_erased, read_staged
from audit.report import Findings, Problem, Report
from audit.tables import (
    audit_checkpoint,
    audit_entry,
    audit_guard,
    audit_item,
    audit_node,
    audit_payload,
    audit_state,
    guard_metadata,
    metadata,
)
from audit.trail import FLAWS, Opening, by_event, open_one
from audit.tree import STORED_LEVELS, Node
from storage.database import Database
from storage.sound import sound, unsound

_CHUNK = 2048  # entries read at once
_GROUP = 500  # entries whose payloads are read at once
_ITEMS = 20_000  # batch items read at once
_MALFORMED = 100  # rows of one table that are named
_NODE_LEVELS = range(STORED_LEVELS, 64, STORED_LEVELS)

# Gives, for these subjects, somebody who opens what is sealed for them.
Openers = Callable[[Sequence[str]], Awaitable[Opener]]
# Says of which of these subjects the keys may be gone while their rows are still there.
Ending = Callable[[Collection[str]], Awaitable[Collection[str]]]
# Called with entries done and entries in all.
Progress = Callable[[int, int], None]


async def verify_live(
    data: Database,
    guard: Database,
    *,
    log: Log,
    vkey: str,
    opener: Openers | None = None,
    ending: Ending | None = None,
    held: Iterable[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Check everything that the log claims against everything that is known of it.

    Without *opener* sealed payloads are not looked at. *held* are checkpoint
    notes that were kept out of the gateway's reach; only they lift the level
    above `signed`. Facts that are gone, or whose key is, must be accounted for
    by `subject.erased`; of those who are *ending*, keys may be gone before that.
    """
    live = _Live(data, log, Verifier(vkey), opener, ending)
    return await live.run(guard, held, progress)


@dataclass(frozen=True, slots=True)
class _State:
    """The log's own account of itself, read in one statement."""

    size: int | None
    frontier: bytes | None
    end: int  # one past the last row
    nodes: int


@dataclass(frozen=True, slots=True)
class _Keyless:
    """A row whose key is gone, and how it counts unless an erasure is on its way."""

    subject: str
    leaf_index: int
    lose: Callable[[int], None]


class _Live:
    """One verification and what it has found so far."""

    def __init__(
        self,
        data: Database,
        log: Log,
        verifier: Verifier,
        opener: Openers | None,
        ending: Ending | None,
    ) -> None:
        self._data = data
        self._log = log
        self._verifier = verifier
        self._opener = opener
        self._ending = ending
        self._findings = Findings()
        self._losses = Losses()
        self._walk = Walk(self._findings, log.macs)
        self._claims: dict[int, list[Claim]] = {}  # of guard and holders outside

    async def run(self, guard: Database, held: Iterable[str], progress: Progress | None) -> Report:
        self._claims, level = hold(self._verifier, held, self._findings)
        async with self._data.read() as connection:
            stored = await published.newest(connection, self._verifier)
        newest = 0 if stored is None else stored.checkpoint.size
        await self._read_guard(guard, newest)  # afterwards: it may only be ahead of it
        state = await self._read_state()
        end = state.end if state.size is None else min(state.size, state.end)
        await self._check_readable(self._data, metadata.sorted_tables)
        await self._check_readable(guard, guard_metadata.sorted_tables)
        self._check_ends(state, newest)
        await self._check_beyond(end)
        for start in range(0, end, _CHUNK):
            await self._chunk(start, min(start + _CHUNK, end))
            if progress is not None:
                progress(min(start + _CHUNK, end), end)
        self._walk.finish()
        self._check_state(state)
        await self._check_duplicates()
        await self._check_losses()
        return self._findings.report(end, level)

    async def _read_guard(self, guard: Database, newest: int) -> None:
        query = select(audit_guard.c.size, audit_guard.c.note)
        query = query.where(audit_guard.c.log == self._log.origin, sound(audit_guard))
        async with guard.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            self._findings.add(Problem.GUARD, None, "there is no guard")
            return
        claim = signed(self._verifier, row.note, "guard", row.size, self._findings)
        if claim is not None:
            self._claims.setdefault(row.size, []).append(claim)
            if newest > row.size:
                text = f"the guard stands at {row.size}, a checkpoint at {newest}"
                self._findings.add(Problem.GUARD, None, text)

    async def _read_state(self) -> _State:
        state = select(audit_state.c.size, audit_state.c.frontier)
        state = state.where(audit_state.c.log == self._log.origin, sound(audit_state)).limit(1)
        last = select(func.coalesce(func.max(audit_entry.c.leaf_index), -1) + 1)
        query = select(
            state.with_only_columns(audit_state.c.size).scalar_subquery(),
            state.with_only_columns(audit_state.c.frontier).scalar_subquery(),
            last.where(sound(audit_entry)).scalar_subquery(),
            select(func.count()).select_from(audit_node).scalar_subquery(),
        )
        async with self._data.read() as connection:
            return _State(*(await connection.execute(query)).one())

    async def _check_readable(self, database: Database, tables: Sequence[Table]) -> None:
        """Name the rows that everybody else passes over: they hold what no gateway writes."""
        async with database.read() as connection:
            for table in tables:
                for flaw, *key in (await connection.execute(unsound(table, _MALFORMED))).all():
                    self._malformed(table, ", ".join(str(one) for one in key), flaw)

    def _malformed(self, table: Table, key: str, flaw: str) -> None:
        text = f"{table.name} {key}: its {flaw} is nothing that a gateway writes"
        index = int(key) if table is audit_entry and key.isdecimal() else None
        self._findings.add(Problem.MALFORMED, index, text)

    async def _check_beyond(self, end: int) -> None:
        """Look at checkpoints of sizes that were not there yet: ours have come since."""
        async with self._data.read() as connection:
            await self._read_claims(connection, end, 2**53)

    def _check_ends(self, state: _State, newest: int) -> None:
        """Compare where the log ends with where everybody says that it ends."""
        if state.size is None:
            self._findings.add(Problem.STATE, None, "the log has no state")
        size = state.end if state.size is None else state.size
        if size > state.end:
            text = f"{size} entries are counted, {state.end} are there"
            self._findings.cut_off(state.end, text)
        elif size < state.end:
            self._findings.add(Problem.EXTRA, size, f"only {size} entries are counted")
        largest = max([newest, *self._claims])
        if largest > size:
            text = f"a checkpoint of size {largest} was published, the log has {size} entries"
            self._findings.cut_off(min(size, state.end), text)

    async def _chunk(self, start: int, end: int) -> None:
        async with self._data.read() as connection:
            rows = await _entries(connection, start, end)
            stored = await _nodes(connection, start, end)
            claims = await self._read_claims(connection, start, end)
        commitments, nodes = self._walk.take(rows, end, claims)
        self._compare_nodes(nodes, stored)
        for group in _groups(commitments):
            await self._open(group)

    async def _read_claims(
        self, connection: AsyncConnection, start: int, end: int
    ) -> dict[int, list[Claim]]:
        query = select(audit_checkpoint.c.size, audit_checkpoint.c.note)
        # None is published of nothing; a row that says so is looked at with the first.
        first = start + 1 if start else 0
        query = query.where(audit_checkpoint.c.size.between(first, end), sound(audit_checkpoint))
        query = query.limit(_CHUNK + 1)  # a size has one, unless somebody dropped the key
        claims = {size: [*self._claims[size]] for size in self._claims if start < size <= end}
        for row in await connection.execute(query):
            claim = signed(self._verifier, row.note, "stored", row.size, self._findings)
            if claim is not None:
                claims.setdefault(row.size, []).append(claim)
        return claims

    def _compare_nodes(
        self, nodes: Sequence[Node], stored: Mapping[tuple[int, int], bytes]
    ) -> None:
        for level, position, raw in nodes:
            if stored.get((level, position)) != raw:
                text = f"the stored node at level {level}, position {position} is wrong"
                self._findings.add(Problem.NODE, None, text)

    def _check_state(self, state: _State) -> None:
        frontier = self._walk.frontier
        if frontier is None or state.size != frontier.size:
            return  # a finding already
        if frontier.packed != state.frontier:
            self._findings.add(Problem.STATE, None, "the entries do not give the frontier")
        if state.nodes != sum(state.size >> level for level in _NODE_LEVELS):
            self._findings.add(Problem.NODE, None, "there are more or fewer stored nodes than due")

    async def _check_duplicates(self) -> None:
        # A unique index forbids it; whoever writes rows can drop an index.
        query = select(func.max(audit_entry.c.leaf_index)).group_by(audit_entry.c.eid)
        query = query.where(sound(audit_entry)).having(func.count() > 1).limit(100)
        async with self._data.read() as connection:
            for index in (await connection.execute(query)).scalars():
                self._findings.add(Problem.DUPLICATE, index, "an event that was there before")

    async def _check_losses(self) -> None:
        # Staged rows first: an event that gets its index meanwhile is then seen twice, not never.
        erased = await read_staged(self._data, self._log.macs, self._findings)
        if self._losses.at:
            await read_erased(self._data, self._log.macs, erased)
            self._losses.report(erased, self._findings)

    async def _open(self, group: Sequence[Commitments]) -> None:
        """Check the payloads and items of some entries, in their order."""
        async with self._data.read() as connection:
            payloads = await _payloads(connection, group) if self._opener else {}
            items = await _items(connection, group, sealed=self._opener is not None)
        opener = None
        if self._opener is not None:
            rows = [*payloads.values(), *items.values()]
            subjects = {row.subject for part in rows for row in part} - {None}
            opener = await self._opener(sorted(subjects))
        keyless: list[_Keyless] = []
        for one in group:
            if one.items:
                keyless += self._check_items(one, items.get(one.eid, []), opener)
            if opener is not None:
                keyless += self._check_payloads(one, payloads.get(one.eid, []), opener)
        if keyless:
            await self._lose(keyless)

    async def _lose(self, keyless: Sequence[_Keyless]) -> None:
        """Count what no key opens, except where an erasure is on its way."""
        subjects = {one.subject for one in keyless}
        ending = await self._ending(subjects) if self._ending is not None else ()
        for one in keyless:
            if one.subject not in ending:
                one.lose(one.leaf_index)

    def _check_items(
        self, one: Commitments, rows: Sequence[Any], opener: Opener | None
    ) -> Iterator[_Keyless]:
        commitments = [row.commitment for row in rows]
        if [row.position for row in rows] != list(range(one.items)):
            text = f"{one.items} items are counted, others are there"
            self._findings.add(Problem.ITEMS, one.leaf_index, text)
        elif batch_root(commitments) != one.root:
            self._findings.add(Problem.ITEMS, one.leaf_index, "the items do not give the root")
        for row in rows:
            if row.sealed is None:
                if opener is not None:  # else the statement leaves it out
                    self._losses.item(one.leaf_index)
                continue
            if row.subject is None:
                fits = committed(row.sealed) == row.commitment
                opening = Opening.OPENED if fits else Opening.ALTERED
            else:
                assert opener is not None  # noqa: S101 else the statement leaves sealed out
                place = item_place(one.eid, row.position)
                opening, _ = open_one(
                    opener, row.subject, EVIDENCE, place, row.sealed, row.commitment
                )
            if opening is Opening.ERASED:
                yield _Keyless(row.subject, one.leaf_index, self._losses.item)
            self._check_opening(one, opening, f"item {row.position}")

    def _check_payloads(
        self, one: Commitments, rows: Sequence[Any], opener: Opener
    ) -> Iterator[_Keyless]:
        commitments = json.loads(one.payloads or b"{}")
        place = payload_place(one.eid)
        if EVIDENCE in commitments and EVIDENCE not in {row.compartment for row in rows}:
            self._losses.payload(one.leaf_index)
        for row in rows:
            text = commitments.get(row.compartment)
            commitment = decode(text) if text else None
            opening, _ = open_one(
                opener, row.subject, row.compartment, place, row.sealed, commitment
            )
            if opening is Opening.ERASED and row.compartment == EVIDENCE:
                yield _Keyless(row.subject, one.leaf_index, self._losses.payload)
            self._check_opening(one, opening, f"payload {row.compartment}")

    def _check_opening(self, one: Commitments, opening: Opening, name: str) -> None:
        flaw = FLAWS.get(opening)
        if flaw is not None:
            self._findings.add(Problem.PAYLOAD, one.leaf_index, f"{name} {flaw}")


async def _entries(connection: AsyncConnection, start: int, end: int) -> list[EntryRow]:
    index = audit_entry.c.leaf_index
    query = select(audit_entry).where(index >= start, index < end, sound(audit_entry))
    query = query.order_by(index)
    return [EntryRow(*row) for row in (await connection.execute(query)).all()]


async def _nodes(connection: AsyncConnection, start: int, end: int) -> dict[tuple[int, int], bytes]:
    """The stored nodes whose last leaf lies in the chunk."""
    level, position = audit_node.c.level, audit_node.c.position
    completed = (
        and_(level == one, position >= start >> one, position < end >> one)
        for one in _NODE_LEVELS
        if start >> one < end >> one
    )
    query = select(level, position, audit_node.c.hash)
    query = query.where(or_(literal(False), *completed), sound(audit_node))
    return {(row.level, row.position): row.hash for row in await connection.execute(query)}


def _groups(commitments: Sequence[Commitments]) -> Iterator[list[Commitments]]:
    """Cut a chunk into parts whose payloads and items fit into memory."""
    group: list[Commitments] = []
    items = 0
    for one in commitments:
        if group and (len(group) == _GROUP or items + one.items > _ITEMS):
            yield group
            group, items = [], 0
        group.append(one)
        items += one.items
    if group:
        yield group


async def _payloads(
    connection: AsyncConnection, group: Sequence[Commitments]
) -> dict[bytes, list[Any]]:
    eids = [one.eid for one in group if one.payloads]
    if not eids:
        return {}
    query = select(audit_payload).where(audit_payload.c.eid.in_(eids), sound(audit_payload))
    rows = await connection.execute(
        query.order_by(audit_payload.c.eid, audit_payload.c.compartment)
    )
    return by_event(rows.all())


async def _items(
    connection: AsyncConnection, group: Sequence[Commitments], *, sealed: bool
) -> dict[bytes, list[Any]]:
    eids = [one.eid for one in group if one.items]
    if not eids:
        return {}
    readable = case((audit_item.c.subject.is_(None), audit_item.c.sealed)).label("sealed")
    query = select(
        audit_item.c.eid,
        audit_item.c.position,
        audit_item.c.subject,
        audit_item.c.commitment,
        audit_item.c.sealed if sealed else readable,
    ).where(audit_item.c.eid.in_(eids), sound(audit_item))
    # One item more than due is enough to show that there are too many.
    query = query.where(audit_item.c.position <= max(one.items for one in group))
    rows = await connection.execute(query.order_by(audit_item.c.eid, audit_item.c.position))
    return by_event(rows.all())
