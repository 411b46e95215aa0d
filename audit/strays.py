"""Facts that stand under the name of somebody whose they are not, or of no event at all.

Whoever writes rows can put the facts of one person under the name of another, who is
erased: they would be deleted with hers, and accounted for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, Update, and_, exists, func, not_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.counted import Counted
from audit.entry import EVIDENCE, Opener, item_place, payload_place
from audit.errors import KeyDamaged
from audit.tables import audit_entry, audit_item, audit_payload, audit_pending
from storage.sound import sound

NOBODY = "nobody"  # as whose facts: no person is called so, so no key opens them
_AT_ONCE = 500
_TABLES = (audit_payload, audit_item)


async def of_no_event(connection: AsyncConnection, limit: int) -> list[str]:
    """Facts that no entry tells of, by table and key. Read a snapshot."""
    found: list[str] = []
    for table in _TABLES:
        logged = exists().where(audit_entry.c.eid == table.c.eid)
        staged = exists().where(audit_pending.c.eid == table.c.eid)
        query = select(*table.primary_key).where(~logged, ~staged).limit(limit)
        for row in (await connection.execute(query)).all():
            found.append(f"{table.name} {'/'.join(map(_shown, row))}")
    return found


async def set_aside(
    connection: AsyncConnection, subject: str, opener: Opener, now: datetime
) -> tuple[Counted, int]:
    """Put what does not open as *subject*'s own under nobody's name; what is theirs, how many not.

    Ask it as long as their keys are there. A verification names what it put aside.
    """
    aside = 0
    theirs: list[set[tuple[Any, ...]]] = []
    for table in _TABLES:
        aside += await put_odd_aside(connection, table, subject)
        opening: set[tuple[Any, ...]] = set()
        theirs.append(opening)
        async for rows in _pages(connection, table, subject):
            foreign = [*_not_opening(rows, table, subject, opener)]
            opening.update({_key(table, row) for row in rows}.difference(foreign))
            aside += await put_aside(connection, table, foreign)
    payloads, items = theirs
    return Counted(now, frozenset(eid for eid, *_ in payloads), frozenset(items)), aside


async def all_of(connection: AsyncConnection, subject: str, now: datetime) -> Counted:
    """Whatever stands under that name, as theirs: for whoever has no key to tell, and says so."""
    found: list[set[tuple[Any, ...]]] = []
    for table in _TABLES:
        keys: set[tuple[Any, ...]] = set()
        async for rows in _pages(connection, table, subject):
            keys.update(_key(table, row) for row in rows)
        found.append(keys)
    payloads, items = found
    return Counted(now, frozenset(eid for eid, *_ in payloads), frozenset(items))


async def put_odd_aside(connection: AsyncConnection, table: Table, subject: str) -> int:
    """As `put_aside`, what no gateway can have written under that name."""
    odd = and_(table.c.subject == subject, not_(func.coalesce(sound(table), False)))
    return (await connection.execute(_as_nobodys(table).where(odd))).rowcount


async def put_aside(
    connection: AsyncConnection, table: Table, keys: Sequence[tuple[Any, ...]]
) -> int:
    """Put rows of a table of facts under nobody's name; returns how many."""
    aside = 0
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        these = _as_nobodys(table).where(tuple_(*table.primary_key).in_(some))
        aside += (await connection.execute(these)).rowcount
    return aside


def _as_nobodys(table: Table) -> Update:
    return update(table).values(subject=NOBODY)


async def _pages(
    connection: AsyncConnection, table: Table, subject: str
) -> AsyncIterator[Sequence[Any]]:
    """The rows under that name that can be read, page by page."""
    place, after = tuple_(*table.primary_key), None
    while True:
        query = select(table).where(table.c.subject == subject, sound(table))
        query = query.order_by(*table.primary_key).limit(_AT_ONCE)
        page = query if after is None else query.where(place > tuple_(*after))
        rows = (await connection.execute(page)).all()
        yield rows
        if len(rows) < _AT_ONCE:
            return
        after = _key(table, rows[-1])


def _not_opening(
    rows: Sequence[Any], table: Table, subject: str, opener: Opener
) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        item = table is audit_item
        place = item_place(row.eid, row.position) if item else payload_place(row.eid)
        compartment = EVIDENCE if item else row.compartment
        if row.sealed is None or not _opens(opener, subject, compartment, place, row.sealed):
            yield _key(table, row)


def _opens(
    opener: Opener, subject: str, compartment: str, place: tuple[str, str, str], sealed: bytes
) -> bool:
    try:
        return opener.open(subject, compartment, place, sealed) is not None
    except (ValueError, KeyDamaged):
        return False


def _key(table: Table, row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, column.name) for column in table.primary_key)


def _shown(key: object) -> str:
    return key.hex() if isinstance(key, bytes) else str(key)
