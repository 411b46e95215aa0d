"""Keys that a retiring epoch wraps are wrapped under the active one, a page at a time.

Each page is a transaction that anybody may end or repeat: a key is replaced
where it still is what was read, so whoever is erased meanwhile stays erased,
and a key is whole under the one epoch or the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, and_, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.errors import KeyUnusable
from consent.keys import epochs
from consent.keys.wrapping import Wrapper
from storage import paging
from storage.database import Database
from storage.locks import try_alone

_AT_ONCE = 1000
_DUTY = "rewrap"
_END = -1


class Rewrapping:
    """Goes through what one retiring epoch wraps, from wherever the last page ended."""

    def __init__(self, database: Database, wrapper: Wrapper, old: int) -> None:
        self._database = database
        self._wrapper = wrapper
        self.old = old
        self._left = list(epochs.WRAPPED)
        self._after: tuple[object, ...] | None = None

    async def page(self) -> int | None:
        """Wrap the next keys anew; how many, None behind the last.

        None too while another process does this. What does not unwrap stays as it is.
        """
        while self._left:
            wrapped = await self._page_of(self._left[0])
            if wrapped != _END:
                return wrapped
            self._left.pop(0)
            self._after = None
        return None

    async def _page_of(self, table: Table) -> int | None:
        async with self._database.begin() as connection:
            if not await try_alone(connection, _DUTY):
                return None
            new = await self._wrapper.active(connection, self._database.name)
            key = tuple(table.primary_key)
            query = select(*key, table.c.wrapped).where(table.c.epoch == self.old)
            page = paging.page(query, key, self._after, _AT_ONCE)
            rows = (await connection.execute(page)).all()
            if not rows:
                return _END
            # Not in the loop: a thousand take as long as a permit may not wait.
            anew = await asyncio.to_thread(self._anew, table, rows, new)
            await _write(connection, table, self.old, new, anew)
            self._after = tuple(rows[-1][: len(key)])
            return len(anew)

    def _anew(self, table: Table, rows: Sequence[Any], new: int) -> list[dict[str, object]]:
        names = [column.name for column in table.primary_key]
        changed: list[dict[str, object]] = []
        for row in rows:
            *name, wrapped = row
            try:
                key = self._wrapper.unwrap(self.old, wrapped, table.name, *name)
            except KeyUnusable:
                continue
            anew = self._wrapper.wrap(new, key, table.name, *name)
            of = {f"of_{column}": value for column, value in zip(names, name, strict=True)}
            changed.append({**of, "anew": anew, "was": wrapped})
        return changed


async def _write(
    connection: AsyncConnection, table: Table, old: int, new: int, rows: list[dict[str, object]]
) -> None:
    if not rows:
        return
    key = [column == bindparam(f"of_{column.name}") for column in table.primary_key]
    as_read = and_(*key, table.c.epoch == old, table.c.wrapped == bindparam("was"))
    changed = update(table).where(as_read).values(epoch=new, wrapped=bindparam("anew"))
    await connection.execute(changed, rows)
