"""Going through a table by its key: each page begins behind the last row of the one before.

SQLite keeps any bytes in any column. Of a name that is no text another one is
read, and behind that the same row comes again: whoever goes on so never ends,
or stands still before a page of such rows. So a page has only rows whose key is
read as it stands there. The others no gateway wrote; `strange` names them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, Select, Table, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.sound import fits, unsound

T = TypeVar("T")


def page(
    query: Select[Any], key: Sequence[Column[Any]], after: Sequence[object] | None, limit: int
) -> Select[Any]:
    """The next rows of *query* in the order of *key*, which no two of them share."""
    query = query.where(fits(*key)).order_by(*key).limit(limit)
    if after is None:
        return query
    last = [literal(value, column.type) for column, value in zip(key, after, strict=True)]
    if len(last) == 1:
        return query.where(key[0] > last[0])
    return query.where(tuple_(*key) > tuple_(*last))


def by_name(query: Select[Any], column: Column[str], after: str | None, limit: int) -> Select[Any]:
    """As `page`, where one column is the key."""
    return page(query, (column,), None if after is None else (after,), limit)


def cut(rows: Sequence[T], limit: int) -> tuple[Sequence[T], T | None]:
    """A page of *rows*, of which one more than *limit* was asked for; and its last one.

    None for that where nothing follows: who goes on behind it never meets an empty page.
    """
    return (rows[:limit], rows[limit - 1]) if len(rows) > limit else (rows, None)


def between(query: Select[Any], column: Column[str], begin: str, end: str) -> Select[Any]:
    """Those of *query* whose names lie from *begin* up to, not including, *end*."""
    return query.where(fits(column), column >= begin, column < end)


async def first(
    connection: AsyncConnection, query: Select[Any], limit: int, read: Callable[[Any], T | None]
) -> list[T]:
    """The first *limit* rows of an ordered *query* that *read* makes something of.

    A limit before that look would count what somebody planted in front of them.
    """
    at_once = limit
    while True:
        rows = (await connection.execute(query.limit(at_once))).all()
        found = [one for row in rows if (one := read(row)) is not None]
        if len(found) >= limit or len(rows) < at_once:
            return found[:limit]
        at_once *= 8


async def strange(connection: AsyncConnection, table: Table, limit: int) -> list[str]:
    """Name rows that are in no page by their primary key: it is none that a gateway writes."""
    key = tuple(table.primary_key)
    rows = await connection.execute(unsound(table, limit, key))
    return [f"{table.name} {'/'.join(map(str, shown))}" for _, *shown in rows]
