"""Rows that cannot be worked off now stand aside, and are looked at again ever later.

One register for every table: a row is named by its table and its id. Who works
rows off takes those that do not stand here first, and behind them those whose
time has come; so nothing that cannot be worked off keeps the others from their turn.

The register grants nothing. Whoever writes rows can put another one aside by it,
for `LONGEST` at a time: what is dated further off than that stands nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.locks import delete_free, free
from storage.sound import sound, within
from storage.types import Moment, among, is_name, upsert

FIRST = timedelta(minutes=1)
LONGEST = timedelta(days=1)
_DOUBLINGS = 11  # after which a wait is at its longest anyway
_NAME = 80  # bytes
_GONE = timedelta(days=2)  # by then whoever works off its table has looked again, if it is there

# So that a statement can be made once: making one takes longer than executing it.
NOW, _LATEST = bindparam("now", type_=Moment()), bindparam("latest", type_=Moment())

metadata = MetaData()

parked = Table(
    "parked",
    metadata,
    Column("table", String(32), primary_key=True, info=within(1, 32)),
    Column("row", String(_NAME), primary_key=True, info=within(1, _NAME)),
    Column("reason", String(32), nullable=False, info=within(1, 32)),
    Column("tries", Integer, nullable=False, info=within(1, 2**31 - 1)),
    Column("since", Moment, nullable=False, info=within(27)),
    Column("next_at", Moment, nullable=False, info=within(27)),
    Index("parked_next", "table", "next_at"),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How many rows of a table stand aside for one reason, and since when the first does."""

    table: str
    reason: str
    rows: int
    since: datetime | None


def can_stand(name: object) -> bool:
    """Whether a row can be named here; what has another name is no row of a gateway's."""
    return is_name(name) and 0 < len(str(name).encode(errors="replace")) <= _NAME


def wait(tries: int) -> timedelta:
    """How long a row stands aside that was looked at in vain *tries* times."""
    doublings = min(max(tries - 1, 0), _DOUBLINGS)
    return min(FIRST * (1 << doublings), LONGEST)


async def park(
    connection: AsyncConnection, table: str, rows: Mapping[str, str], now: datetime
) -> dict[str, datetime]:
    """Put rows aside, each for its reason; returns when each is looked at again.

    Twice as late each time, up to a day. Whoever works one off takes it back by `release`.
    """
    if not rows:
        return {}
    known = {row.row: row for row in await _of(connection, table, rows)}
    # In one order for everybody, or two transactions could wait for each other's rows.
    new = [_row(table, name, rows[name], known.get(name), now) for name in sorted(rows)]
    statement = upsert(connection, parked)
    again = statement.on_conflict_do_update(
        index_elements=[parked.c.table, parked.c.row],
        set_={one.name: one for one in statement.excluded if not one.primary_key},
    )
    await connection.execute(again, new)
    return {row["row"]: row["next_at"] for row in new}


def _row(table: str, name: str, reason: str, known: Any, now: datetime) -> dict[str, Any]:
    tries = 1 if known is None else min(known.tries, _DOUBLINGS) + 1
    return {
        "table": table,
        "row": name,
        "reason": reason,
        "tries": tries,
        "since": now if known is None else min(known.since, now),
        "next_at": now + wait(tries),
    }


async def release(connection: AsyncConnection, table: str, rows: Collection[str]) -> None:
    """Let rows stand where they stood: they were worked off, or are gone."""
    if rows:
        these = and_(parked.c.table == table, among(parked.c.row, rows))
        await connection.execute(delete(parked).where(these))


async def forget(
    connection: AsyncConnection, column: Column[Any], condition: ColumnElement[bool]
) -> None:
    """As `release`, for the rows of a table that fulfil *condition* and are to be deleted next."""
    named = parked.c.row.in_(select(column).where(condition))
    await connection.execute(delete(parked).where(parked.c.table == column.table.name, named))


def at(now: datetime) -> dict[str, datetime]:
    """What a statement that `stands`, `first` or `again` is part of is executed with."""
    return {NOW.key: now, _LATEST.key: now + LONGEST}


def stands(column: Column[Any]) -> ColumnElement[bool]:
    """Whether the row of this id stands aside, its time come or not."""
    here = exists().where(
        parked.c.table == column.table.name,
        parked.c.row == column,
        parked.c.next_at <= _LATEST,
        sound(parked),
    )
    return here.correlate(column.table)


def first(query: Select[Any], column: Column[Any]) -> Select[Any]:
    """Without the rows that stand aside."""
    return query.where(~stands(column))


def again(query: Select[Any], column: Column[Any]) -> Select[Any]:
    """Only those whose time has come, longest ago first: for behind the others."""
    here = and_(parked.c.table == column.table.name, parked.c.row == column)
    query = query.join(parked, here).where(parked.c.next_at <= NOW, sound(parked))
    return query.order_by(parked.c.next_at, column)


async def find(
    connection: AsyncConnection, table: str, rows: Collection[str], now: datetime
) -> dict[str, bool]:
    """Which of these stand aside, and whether they wait still; the others are missing."""
    found = await _of(connection, table, rows)
    return {row.row: row.next_at > now for row in found if row.next_at <= now + LONGEST}


async def _of(connection: AsyncConnection, table: str, rows: Collection[str]) -> list[Any]:
    query = select(parked).where(parked.c.table == table, among(parked.c.row, rows), sound(parked))
    return list((await connection.execute(query)).all())


async def standing(connection: AsyncConnection) -> list[Standing]:
    """What stands aside, by table and reason."""
    query = select(parked.c.table, parked.c.reason, func.count(), func.min(parked.c.since))
    query = query.where(sound(parked)).group_by(parked.c.table, parked.c.reason)
    rows = await connection.execute(query.order_by(parked.c.table, parked.c.reason))
    return [Standing(*row) for row in rows]


async def look_again(connection: AsyncConnection, now: datetime) -> None:
    """Let the time of everything come: a process starts, and the cause may be mended."""
    waiting = parked.c.next_at > now
    await connection.execute(update(parked).where(free(parked, waiting)).values(next_at=now))


async def purge(connection: AsyncConnection, now: datetime) -> None:
    """Delete what nobody looked at again long after its time: its row is gone.

    And what stands nowhere: no gateway wrote it, or one whose clock ran ahead.
    """
    gone = parked.c.next_at <= now - _GONE
    nowhere = or_(parked.c.next_at > now + LONGEST, not_(sound(parked)))
    await delete_free(connection, parked, or_(gone, nowhere))
