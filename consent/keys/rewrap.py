"""Keys that a retiring epoch wraps are wrapped under the active one, a page at a time.

Each page is a transaction that anybody may end or repeat: a key is replaced
where it still is what was read, so whoever is erased meanwhile stays erased,
and a key is whole under the one epoch or the other. While one page is written
the next is read and wrapped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import LargeBinary, Table, and_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.errors import KeyUnusable
from consent.keys import epochs
from consent.keys.wrapping import Wrapper
from storage import paging
from storage.database import Database
from storage.grouping import both
from storage.locks import try_alone

_AT_ONCE = 1000
_DUTY = "rewrap"


class _Key(NamedTuple):
    """A wrapped key: its name, and how it stood and is to stand."""

    name: tuple[str, ...]
    was: bytes
    anew: bytes


@dataclass(frozen=True, slots=True)
class _Page:
    table: Table
    keys: Sequence[_Key]


class Rewrapping:
    """Goes through what one retiring epoch wraps, from wherever the last page ended."""

    def __init__(self, database: Database, wrapper: Wrapper, old: int) -> None:
        self._database = database
        self._wrapper = wrapper
        self.old = old
        self._left = list(epochs.WRAPPED)
        self._after: tuple[object, ...] | None = None

    async def go_on(self, seconds: float) -> int | None:
        """Wrap keys anew for so long, a page at least; how many, None behind the last.

        Nothing while another process does this. What does not unwrap stays as it is,
        and so does what could not be written: whoever finds it left begins anew.
        """
        new = await self._active()
        if new is None:
            return 0
        ends, done = monotonic() + seconds, 0
        page = await self._next(new)
        if page is None:
            return None
        while page is not None:
            if monotonic() >= ends:
                return done + (await self._write(page, new) or 0)
            did, page = await both(self._write(page, new), self._next(new))
            if did is None:
                break
            done += did
        return done

    async def _active(self) -> int | None:
        """The epoch to wrap under, as of now; None while another process does this."""
        async with self._database.begin() as connection:
            if not await try_alone(connection, _DUTY):
                return None
            return await self._wrapper.active(connection, self._database.name)

    async def _next(self, new: int) -> _Page | None:
        """Read the next keys, and wrap them anew; None behind the last."""
        while self._left:
            table = self._left[0]
            key = tuple(table.primary_key)
            # Of every epoch: who guesses how many are of one may sort them all for each page.
            query = select(*key, table.c.wrapped, table.c.epoch)
            async with self._database.read() as connection:
                page = paging.page(query, key, self._after, _AT_ONCE)
                rows = (await connection.execute(page)).all()
            if not rows:
                self._left.pop(0)
                self._after = None
                continue
            self._after = tuple(rows[-1][: len(key)])
            # Not in the loop: a thousand take as long as a permit may not wait.
            if keys := await asyncio.to_thread(self._anew, table, rows, new):
                return _Page(table, keys)
        return None

    def _anew(self, table: Table, rows: Sequence[Any], new: int) -> list[_Key]:
        changed: list[_Key] = []
        for row in rows:
            *name, wrapped, epoch = row
            if epoch != self.old:
                continue
            try:
                key = self._wrapper.unwrap(self.old, wrapped, table.name, *name)
            except KeyUnusable:
                continue
            anew = self._wrapper.wrap(new, key, table.name, *name)
            changed.append(_Key(tuple(name), wrapped, anew))
        return changed

    async def _write(self, page: _Page, new: int) -> int | None:
        """Write a page; None where another process is at it, or another epoch wraps by now."""
        async with self._database.begin() as connection:
            if not await try_alone(connection, _DUTY):
                return None
            if await self._wrapper.active(connection, self._database.name) != new:
                return None
            postgresql = connection.dialect.name == "postgresql"
            if postgresql:
                return await _replace_all(connection, page, new)
            return await _replace_each(connection, page, self.old, new)


async def _replace_each(connection: AsyncConnection, page: _Page, old: int, new: int) -> int:
    table, columns = page.table, page.table.primary_key.columns
    names = [f"of_{column.name}" for column in columns]
    key = [column == bindparam(f"of_{column.name}") for column in columns]
    as_read = and_(*key, table.c.epoch == old, table.c.wrapped == bindparam("was"))
    changed = update(table).where(as_read).values(epoch=new, wrapped=bindparam("anew"))
    rows = [
        {**dict(zip(names, one.name, strict=True)), "was": one.was, "anew": one.anew}
        for one in page.keys
    ]
    return (await connection.execute(changed, rows)).rowcount


async def _replace_all(connection: AsyncConnection, page: _Page, new: int) -> int:
    """All of them in one statement, but what somebody holds: nobody is waited for here.

    In whatever order rows are found, waiting for one could end in a deadlock with who
    destroys several.
    """
    table, columns = page.table, tuple(page.table.primary_key.columns)
    fields = [*(column.name for column in columns), "was", "anew"]
    kinds = [*(column.type for column in columns), LargeBinary(), LargeBinary()]
    arrays = [bindparam(f"all_{n}", type_=ARRAY(k)) for n, k in zip(fields, kinds, strict=True)]
    given = func.unnest(*arrays).table_valued(*fields, name="given").render_derived()
    as_read = select(*columns, given.c.anew).where(
        *(column == given.c[column.name] for column in columns),
        # Which says the epoch too; asked for it, a planner without statistics takes a handful of
        # keys to be of it, and finds all of them for each page.
        table.c.wrapped == given.c.was,
    )
    held = as_read.with_for_update(of=table, skip_locked=True).cte("held")
    same = (column == held.c[column.name] for column in columns)
    changed = update(table).values(epoch=new, wrapped=held.c.anew).where(*same)
    rows = zip(*((*one.name, one.was, one.anew) for one in page.keys), strict=True)
    values = {f"all_{name}": [*row] for name, row in zip(fields, rows, strict=True)}
    return (await connection.execute(changed, values)).rowcount
