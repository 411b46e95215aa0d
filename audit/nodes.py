"""Subtree hashes out of the database: what proofs are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import tree
from audit.errors import LogDamaged
from audit.tables import audit_entry, audit_node
from audit.tree import STORED_LEVELS, Frontier, Node, Range
from storage.sound import sound

# By stored level and position; level 0 are the leaves.
_Stored = dict[tuple[int, int], bytes]


async def keep(connection: AsyncConnection, nodes: Sequence[Node], base: int = 0) -> None:
    """Store full subtrees that the sequencer completed, of the log whose first place is *base*."""
    if nodes:
        rows = [shifted(node, base)._asdict() for node in nodes]
        await connection.execute(insert(audit_node), rows)


def shifted(node: Node, base: int) -> Node:
    """Where a node of the log from *base* on is stored."""
    return node._replace(position=node.position + (base >> node.level))


async def confirm(connection: AsyncConnection, made: Sequence[Node], base: int = 0) -> None:
    """Raise `LogDamaged` unless these nodes, made of the entries, are the stored ones."""
    made = [shifted(node, base) for node in made]
    stored = await _read(connection, {(node.level, node.position) for node in made})
    for node in made:
        if stored.get((node.level, node.position)) != node.hash:
            raise LogDamaged(node.level, node.position)


async def frontier_at(connection: AsyncConnection, size: int, base: int = 0) -> Frontier:
    """The right edge of the tree over the first *size* entries, from stored hashes."""
    pieces = tree.subtrees(Range(0, size))
    spans = [Range(at << level, (at + 1) << level) for level, at in pieces]
    return Frontier(size, b"".join(await range_roots(connection, spans, base)))


async def range_roots(
    connection: AsyncConnection, ranges: Sequence[Range], base: int = 0
) -> list[bytes]:
    """The root over each range of leaves, in the log whose first place is *base*.

    Reads at most 255 hashes per stored level and side of a range, in one
    statement per level, however long the log is.
    """
    ranges = [Range(base + start, base + end) for start, end in ranges]
    pieces = [list(tree.subtrees(span)) for span in ranges]
    stored = await _read(connection, {piece for one in pieces for piece in one})
    return [tree.fold([_hash(stored, level, at) for level, at in one]) for one in pieces]


async def _read(connection: AsyncConnection, pieces: set[tuple[int, int]]) -> _Stored:
    spans: dict[int, list[Range]] = defaultdict(list)
    for level, position in pieces:
        base, span = _below(level, position)
        spans[base].append(span)
    found: _Stored = {}
    for base, wanted in spans.items():
        rows = await connection.execute(_query(base, wanted))
        found.update(((base, position), raw) for position, raw in rows.all())
    return found


def _query(base: int, wanted: Sequence[Range]) -> Any:
    if base == 0:
        index = audit_entry.c.leaf_index
        return select(index, audit_entry.c.leaf_hash).where(
            _within(index, wanted), sound(audit_entry)
        )
    query = select(audit_node.c.position, audit_node.c.hash).where(audit_node.c.level == base)
    query = query.where(sound(audit_node))
    return query.where(_within(audit_node.c.position, wanted))


def _within(column: ColumnElement[int], wanted: Sequence[Range]) -> ColumnElement[bool]:
    return or_(*(column.between(start, end - 1) for start, end in wanted))


def _hash(stored: _Stored, level: int, position: int) -> bytes:
    base, (start, end) = _below(level, position)
    try:
        hashes = [stored[base, at] for at in range(start, end)]
    except KeyError as missing:
        raise LogDamaged(*missing.args[0]) from None
    return tree.full(hashes)


def _below(level: int, position: int) -> tuple[int, Range]:
    """The stored level at or below a subtree, and which of its nodes make it up."""
    base = level - level % STORED_LEVELS
    width = 1 << (level - base)
    return base, Range(position * width, (position + 1) * width)
