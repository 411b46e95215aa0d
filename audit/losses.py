"""Facts that are gone: an erasure or a term accounts for them, or somebody deleted rows.

A payload whose row was deleted looks like one that was erased. What tells them apart is
the count that `subject.erased` and `evidence.ended` carry into the log (`LetGo.refs`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Entry, parse
from audit.errors import EntryError
from audit.kinds import Kind
from audit.report import Findings, Problem
from audit.rowmac import LOGGED, RowMacs
from audit.tables import audit_entry, audit_pending
from storage.database import Database
from storage.sound import sound

_AT_ONCE = 500
_NAMED = 20
# Kinds that say how much they took.
_ACCOUNTING = (Kind.SUBJECT_ERASED, Kind.EVIDENCE_ENDED)


@dataclass
class Losses:
    """What one verification did not find, in bounded memory."""

    payloads: int = 0
    items: int = 0
    at: list[int] = field(default_factory=list)  # the first indexes

    def payload(self, index: int) -> None:
        self.payloads += 1
        self._name(index)

    def item(self, index: int) -> None:
        self.items += 1
        self._name(index)

    def report(self, erased: Erased, findings: Findings) -> None:
        """Compare with what was *erased*, which must be read after the last loss was seen."""
        payloads, items = self.payloads - erased.payloads, self.items - erased.items
        if payloads <= 0 and items <= 0:
            return
        if not erased.payloads and not erased.items:
            for index in self.at:
                findings.add(Problem.GONE, index, "its facts are gone, and nobody was erased")
            return
        places = ", ".join(map(str, self.at))
        text = (
            f"more is gone than was erased: {max(payloads, 0)} payloads, {max(items, 0)} items;"
            f" something is gone at {places}"
        )
        findings.add(Problem.GONE, None, text)

    def _name(self, index: int) -> None:
        if len(self.at) < _NAMED and index not in self.at:
            self.at.append(index)


@dataclass
class Erased:
    """What erasures took, as the log says it; each event counts once."""

    payloads: int = 0
    items: int = 0
    seen: set[bytes] = field(default_factory=set)  # of staged events, which may move meanwhile

    def take(self, entry: Entry, *, staged: bool = False) -> None:
        if entry.kind not in _ACCOUNTING or entry.eid in self.seen:
            return
        if staged:
            self.seen.add(entry.eid)
        self.payloads += _count(entry, "payloads")
        self.items += _count(entry, "items")


async def read_staged(data: Database, macs: RowMacs, findings: Findings) -> Erased:
    """Check the rows that have no index yet, and return what erasures among them took.

    One that no gateway staged keeps the sequencer from everything behind it.
    """
    erased = Erased()
    async for row in _staged(data):
        if not macs.staged(row):
            text = f"staged row {row.n}: no gateway staged it"
        elif (entry := _read(row.entry)) is None or entry.eid != row.eid:
            text = f"staged row {row.n}: its id is not that of its entry"
        else:
            erased.take(entry, staged=True)
            continue
        findings.add(Problem.PENDING, None, text)
    return erased


async def read_erased(data: Database, macs: RowMacs, erased: Erased) -> None:
    """Add what the entries of the log account for."""
    after = -1
    while True:
        async with data.read() as connection:
            rows = await _erasures(connection, after)
        for row in rows:
            after = row.leaf_index
            entry = _read(row.entry)
            if entry is not None and macs.logged(row):
                erased.take(entry)
        if len(rows) < _AT_ONCE:
            return


async def _staged(data: Database) -> AsyncIterator[Any]:
    after = -1
    while True:
        query = select(audit_pending).where(audit_pending.c.n > after, sound(audit_pending))
        query = query.order_by(audit_pending.c.n)
        async with data.read() as connection:
            rows = (await connection.execute(query.limit(_AT_ONCE))).all()
        for row in rows:
            after = row.n
            yield row
        if len(rows) < _AT_ONCE:
            return


async def _erasures(connection: AsyncConnection, after: int) -> Sequence[Any]:
    index = audit_entry.c.leaf_index
    query = select(*LOGGED).where(
        audit_entry.c.kind.in_(_ACCOUNTING), index > after, sound(audit_entry)
    )
    return (await connection.execute(query.order_by(index).limit(_AT_ONCE))).all()


def _read(entry: bytes) -> Entry | None:
    try:
        return parse(entry)
    except EntryError:
        return None


def _count(entry: Entry, name: str) -> int:
    text = entry.refs.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else 0
