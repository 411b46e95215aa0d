"""Events of some kinds as gateways wrote them, page by page: for stores that repeat them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import succession
from audit.entry import Entry, format_moment
from audit.kinds import Kind
from audit.rowmac import LOGGED, STAGED, RowMacs
from audit.tables import audit_entry, audit_pending
from audit.trail import parsed
from storage.sound import sound


async def logged(
    connection: AsyncConnection,
    macs: RowMacs,
    kinds: Collection[Kind],
    since: datetime | None,
    last: int,
    limit: int,
) -> tuple[int | None, list[Entry]]:
    """The next events behind the index *last* that are later than *since*, and where they end.

    None for the place behind the last page.
    """
    table = audit_entry
    query = select(*LOGGED).where(table.c.kind.in_(kinds), table.c.leaf_index > last, sound(table))
    if since is not None:
        query = query.where(table.c.at > format_moment(since))
    rows = (await connection.execute(query.order_by(table.c.leaf_index).limit(limit))).all()
    read = [(row, parsed(row.entry)) for row in rows]
    found = [one for row, one in read if one is not None and one.kind in kinds and macs.logged(row)]
    return (rows[-1].leaf_index if rows else None), found


async def behind(
    connection: AsyncConnection, macs: RowMacs, kinds: Collection[Kind], place: int
) -> list[tuple[int, Entry]]:
    """The events of *kinds* that stand behind *place*, each with its own; give such as are few."""
    table = audit_entry
    query = select(*LOGGED).where(table.c.kind.in_(kinds), table.c.leaf_index > place, sound(table))
    rows = (await connection.execute(query.order_by(table.c.leaf_index))).all()
    read = [(row, parsed(row.entry)) for row in rows]
    return [
        (row.leaf_index, one)
        for row, one in read
        if one is not None and one.kind in kinds and macs.logged(row)
    ]


async def generation_of(connection: AsyncConnection, eid: bytes) -> int | None:
    """Which of the logs has the event; None while it has no index."""
    table = audit_entry
    query = select(table.c.leaf_index).where(table.c.eid == eid, sound(table))
    place = (await connection.execute(query.order_by(table.c.leaf_index))).scalar()
    return None if place is None else succession.generation_of(place)


async def last_at(connection: AsyncConnection, macs: RowMacs) -> datetime | None:
    """When the last event happened that has an index, in whichever of the logs."""
    table = audit_entry
    query = select(*LOGGED).where(sound(table)).order_by(table.c.leaf_index.desc()).limit(1)
    row = (await connection.execute(query)).first()
    read = None if row is None or not macs.logged(row) else parsed(row.entry)
    return None if read is None else read.at


async def staged(
    connection: AsyncConnection, macs: RowMacs, kinds: Collection[Kind]
) -> list[Entry]:
    """Those that have no index yet; look at them before `logged`, or one may slip through."""
    table = audit_pending
    query = select(*STAGED).where(sound(table)).order_by(table.c.n)
    read = [(row, parsed(row.entry)) for row in await connection.execute(query)]
    return [one for row, one in read if one is not None and one.kind in kinds and macs.staged(row)]


async def kinds_of(
    connection: AsyncConnection, macs: RowMacs, eids: Collection[bytes]
) -> dict[bytes, Kind]:
    """What kind of event a gateway wrote under each of these ids; who has none is missing."""
    found = {}
    # Staged rows first: one that gets its index in between is then found in the log.
    for columns, table, ours in (
        (STAGED, audit_pending, macs.staged),
        (LOGGED, audit_entry, macs.logged),
    ):
        query = select(*columns).where(table.c.eid.in_(eids), sound(table))
        for row in await connection.execute(query):
            read = parsed(row.entry)
            if read is not None and ours(row):
                found[read.eid] = read.kind
    return found


def place_of(eid: ColumnElement[bytes]) -> ColumnElement[int]:
    """For statements about rows that name events: where in the log each stands; null: nowhere."""
    place = select(audit_entry.c.leaf_index).where(audit_entry.c.eid == eid)
    return place.scalar_subquery()


async def places_of(
    connection: AsyncConnection, macs: RowMacs, eids: Collection[bytes]
) -> dict[bytes, tuple[int, Kind]]:
    """Where in the log each of these stands, and its kind; what has no place yet is missing."""
    query = select(*LOGGED).where(audit_entry.c.eid.in_(eids), sound(audit_entry))
    rows = await connection.execute(query)
    read = [(row, parsed(row.entry)) for row in rows]
    return {
        one.eid: (row.leaf_index, one.kind)
        for row, one in read
        if one is not None and macs.logged(row)
    }
