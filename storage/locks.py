"""Duties that only one process may run at a time, and rows that several change at once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Boolean, ColumnElement, Integer, Table, delete, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import straight

_SHARED = text(
    "SELECT key FROM unnest(CAST(:keys AS bigint[])) AS key"
    " WHERE pg_try_advisory_xact_lock_shared(key)"
).columns(key=Integer)

_ALONE = text("SELECT pg_try_advisory_xact_lock(:key) AS alone").columns(alone=Boolean)

# Other modes are those of readers, and of upkeep that takes its time.
_WRITERS = text(
    "SELECT DISTINCT virtualtransaction FROM pg_locks"
    " WHERE locktype = 'relation' AND relation = to_regclass(:name)"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND mode IN ('RowShareLock', 'RowExclusiveLock') AND granted"
)


async def try_alone(connection: AsyncConnection, duty: str) -> bool:
    """Say whether this transaction may run *duty*; the lock ends with the transaction.

    SQLite's writing transaction excludes every other already. On PostgreSQL the
    lock belongs to the transaction, not the session: PgBouncer may stand between.
    """
    if connection.dialect.name == "sqlite":
        return True
    ((alone,),) = await straight.rows(connection, _ALONE, {"key": _key(duty)})
    return bool(alone)


async def keep_out(connection: AsyncConnection, duty: str) -> None:
    """Wait until nobody runs *duty*; nobody does before this transaction ends.

    Take it before any other lock, as the duty does.
    """
    if connection.dialect.name != "sqlite":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _key(duty)})


async def share_all(connection: AsyncConnection, names: Collection[str]) -> set[str]:
    """Those of *names* that `alone_with` is kept from until this transaction ends.

    Those that somebody has are missing. Never waits, and locks no row: on SQLite nobody else
    writes meanwhile.
    """
    if connection.dialect.name == "sqlite" or not names:
        return set(names)
    keys = {_key(name): name for name in names}
    return {keys[key] for (key,) in await straight.rows(connection, _SHARED, {"keys": [*keys]})}


async def writers(connection: AsyncConnection, table: Table) -> frozenset[str]:
    """The transactions, by a name of the server's, that hold rows of *table* or changed some.

    On SQLite nobody does while this transaction lasts: it is the one that writes.
    """
    if connection.dialect.name == "sqlite":
        return frozenset()
    rows = await connection.execute(_WRITERS, {"name": table.name})
    return frozenset(rows.scalars())


async def alone_with(connection: AsyncConnection, names: Collection[str]) -> set[str]:
    """Those of *names* that nobody shares, nor anybody begins to before this transaction ends."""
    if connection.dialect.name == "sqlite" or not names:
        return set(names)
    keys = {_key(name): name for name in names}
    query = text(
        "SELECT key FROM unnest(CAST(:keys AS bigint[])) AS key"
        " WHERE pg_try_advisory_xact_lock(key)"
    )
    return {keys[key] for key in (await connection.execute(query, {"keys": [*keys]})).scalars()}


async def oldest_open(connection: AsyncConnection) -> datetime | None:
    """Since when the oldest other transaction of ours runs that has not ended; None: none does.

    What it wrote nobody sees yet; what ended meanwhile shows in a later statement. SQLite has one
    writer. PostgreSQL tells of sessions of one's own role, unless `track_activities` is off.
    """
    if connection.dialect.name == "sqlite":
        return None
    query = text(
        "SELECT min(xact_start) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    since: datetime | None = (await connection.execute(query)).scalar_one()
    return since


async def delete_free(
    connection: AsyncConnection, table: Table, condition: ColumnElement[bool]
) -> int:
    """Delete the rows that fulfil *condition* and nobody holds; returns how many.

    A DELETE of many locks them in whatever order it finds them: waiting for one,
    while its holder waits for another, would end in a deadlock. What is held is
    left for the next time.
    """
    return (await connection.execute(delete(table).where(free(table, condition)))).rowcount


def free(table: Table, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """As *condition*, for a DELETE or UPDATE of many that passes over what somebody holds."""
    columns = table.primary_key.columns
    held = select(*columns).where(condition).with_for_update(skip_locked=True)
    return tuple_(*columns).in_(held)


def in_order(table: Table, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """As *condition*, for a DELETE or UPDATE of many that waits for rows in the order of keys.

    In one order for everybody who changes them, or two transactions could wait
    for each other's rows.
    """
    columns = table.primary_key.columns
    held = select(*columns).where(condition).order_by(*columns).with_for_update()
    return tuple_(*columns).in_(held)


def _key(duty: str) -> int:
    return int.from_bytes(hashlib.sha256(duty.encode()).digest()[:8], "big", signed=True)
