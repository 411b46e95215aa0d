"""What a verification reads, in parts that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import and_, case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import succession
from audit.check import Commitments, EntryRow
from audit.tables import (
    audit_checkpoint,
    audit_entry,
    audit_item,
    audit_node,
    audit_payload,
    audit_state,
)
from audit.trail import by_event
from audit.tree import STORED_LEVELS
from storage.database import Database
from storage.sound import sound

_GROUP = 500  # entries whose payloads are read at once
_ITEMS = 20_000  # batch items read at once
NODE_LEVELS = range(STORED_LEVELS, 64, STORED_LEVELS)


class State(NamedTuple):
    """A log's own account of itself, read in one statement."""

    size: int | None
    frontier: bytes | None
    end: int  # one past the last row
    nodes: int


async def state(data: Database, name: str, generation: int) -> State:
    """The account of the log of that *name*, which works still."""
    base = succession.base_of(generation)
    row = select(audit_state.c.size, audit_state.c.frontier)
    row = row.where(audit_state.c.log == name, sound(audit_state)).limit(1)
    place = audit_entry.c.leaf_index
    last = select(func.coalesce(func.max(place), base - 1) + 1 - base)
    query = select(
        row.with_only_columns(audit_state.c.size).scalar_subquery(),
        row.with_only_columns(audit_state.c.frontier).scalar_subquery(),
        last.where(place >= base, sound(audit_entry)).scalar_subquery(),
        select(func.count()).select_from(audit_node).where(_nodes_of(base)).scalar_subquery(),
    )
    async with data.read() as connection:
        return State(*(await connection.execute(query)).one())


async def extent(data: Database, generation: int) -> tuple[int, int]:
    """One past the last row of a log that was closed, and how many nodes it has."""
    base = succession.base_of(generation)
    place = audit_entry.c.leaf_index
    last = select(func.coalesce(func.max(place), base - 1) + 1 - base)
    last = last.where(place.between(base, base + succession.STRIDE - 1), sound(audit_entry))
    nodes = select(func.count()).select_from(audit_node).where(_nodes_of(base))
    async with data.read() as connection:
        query = select(last.scalar_subquery(), nodes.scalar_subquery())
        end, count = (await connection.execute(query)).one()
        return end, count


def _nodes_of(base: int) -> Any:
    level, position = audit_node.c.level, audit_node.c.position
    spans = [
        and_(level == one, position.between(base >> one, (base + succession.STRIDE - 1) >> one))
        for one in NODE_LEVELS
        if succession.STRIDE >> one
    ]
    # Higher ones no log has; whoever planted one planted it in the first.
    return or_(*spans, and_(level > succession.STRIDE.bit_length(), literal(not base)))


async def checkpoints(
    connection: AsyncConnection, base: int, start: int, end: int, limit: int
) -> list[tuple[int, str]]:
    """The published checkpoints of a log from size *start* to *end*, with their sizes."""
    key = audit_checkpoint.c.size
    query = select(key, audit_checkpoint.c.note).where(
        key.between(base + start, min(base + end, base + succession.STRIDE - 1)),
        sound(audit_checkpoint),
    )
    rows = await connection.execute(query.limit(limit))
    return [(row.size - base, row.note) for row in rows]


async def entries(connection: AsyncConnection, base: int, start: int, end: int) -> list[EntryRow]:
    """The entries of the log from *base* on that stand from index *start* to *end*, as stored."""
    place = audit_entry.c.leaf_index
    query = select(audit_entry).where(place >= base + start, place < base + end, sound(audit_entry))
    rows = (await connection.execute(query.order_by(place))).all()
    return [EntryRow(*row) for row in rows]


async def nodes(
    connection: AsyncConnection, base: int, start: int, end: int
) -> dict[tuple[int, int], bytes]:
    """The stored nodes whose last leaf lies in the chunk, by level and position in their log."""
    level, position = audit_node.c.level, audit_node.c.position
    completed = (
        and_(level == one, position >= (base + start) >> one, position < (base + end) >> one)
        for one in NODE_LEVELS
        if (base + start) >> one < (base + end) >> one
    )
    query = select(level, position, audit_node.c.hash)
    query = query.where(or_(literal(False), *completed), sound(audit_node))
    rows = await connection.execute(query)
    return {(row.level, row.position - (base >> row.level)): row.hash for row in rows}


def groups(commitments: Sequence[Commitments]) -> Iterator[list[Commitments]]:
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


async def payloads(
    connection: AsyncConnection, group: Sequence[Commitments]
) -> dict[bytes, list[Any]]:
    """The sealed facts of some entries, by event."""
    eids = [one.eid for one in group if one.payloads]
    if not eids:
        return {}
    query = select(audit_payload).where(audit_payload.c.eid.in_(eids), sound(audit_payload))
    rows = await connection.execute(
        query.order_by(audit_payload.c.eid, audit_payload.c.compartment)
    )
    return by_event(rows.all())


async def items(
    connection: AsyncConnection, group: Sequence[Commitments], *, sealed: bool
) -> dict[bytes, list[Any]]:
    """The items of some batch events, by event; sealed ones only where asked for."""
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
