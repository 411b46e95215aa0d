"""The keys of contents that many messages name: nobody's, each gone with its content.

What one person alone is to read is sealed under that person's key. A campaign's words
are no one's: under somebody's key they would go with that person's erasure.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.errors import KeyUnusable
from consent.keys import tables
from consent.keys.wrapping import Wrapper
from storage import paging
from storage.database import Database
from storage.errors import StorageAway
from storage.ids import ordered_id
from storage.locks import delete_free
from storage.secret import Secret
from storage.types import among

# A content that is named by nothing so long after its key was made never will be.
SWEEP_AFTER = timedelta(days=1)
_FRESH = 60.0  # seconds that an unwrapped key is kept
_BATCH = 500

table = tables.content_key


class ContentKeys:
    """Makes, hands out and destroys the keys of shared contents."""

    def __init__(
        self, database: Database, wrapper: Wrapper, monotonic: Callable[[], float]
    ) -> None:
        self._database = database
        self._wrapper = wrapper
        self._monotonic = monotonic
        self._held: dict[str, tuple[float, Secret]] = {}

    async def create(self, now: datetime) -> tuple[str, Secret]:
        """Make a key, before the content that it seals is stored; one that is not taken up goes."""
        name, fresh = ordered_id("cky", now), Secret(secrets.token_bytes(32))
        async with self._database.begin() as connection:
            epoch = await self._wrapper.active(connection, self._database.name)
            wrapped = self._wrapper.wrap(epoch, fresh, table.name, name)
            row = {"id": name, "epoch": epoch, "wrapped": wrapped, "created_at": now}
            await connection.execute(insert(table).values(row))
        return name, fresh

    async def of(self, names: Iterable[str]) -> dict[str, Secret]:
        """These keys, at most a minute old; one that is gone, or was altered, is missing.

        `StorageAway` where another node's keyring has what unwraps it, and ours has not.
        """
        wanted, asked = set(names), self._monotonic()
        since = asked - _FRESH
        found = {n: held[1] for n in wanted if (held := self._held.get(n)) and held[0] > since}
        missing = wanted - found.keys()
        if missing:
            async with self._database.read() as connection:
                query = select(table).where(among(table.c.id, missing))
                rows = (await connection.execute(query)).all()
                fetched = {row.id: await self._usable(connection, row) for row in rows}
            found |= {name: key for name, key in fetched.items() if key is not None}
            self._held = {n: held for n, held in self._held.items() if held[0] > since}
            self._held |= {name: (asked, found[name]) for name in missing & found.keys()}
        return found

    async def sweep(
        self, named: Callable[[Sequence[str]], Awaitable[Collection[str]]], now: datetime
    ) -> int:
        """Destroy keys of a day ago that no content names; returns how many.

        *named* is asked page by page which of them one names; it must raise rather than guess.
        """
        swept, after = 0, None
        while page := await self._page_of_old(after, now - SWEEP_AFTER):
            unnamed = set(page) - set(await named(page))
            async with self._database.begin() as connection:
                swept += await delete_free(connection, table, among(table.c.id, unnamed))
            for name in unnamed:
                self._held.pop(name, None)
            after = page[-1]
        return swept

    async def _usable(self, connection: AsyncConnection, row: Any) -> Secret | None:
        try:
            return self._wrapper.unwrap(row.epoch, row.wrapped, table.name, row.id)
        except KeyUnusable as error:
            if await self._wrapper.elsewhere(connection, {error.epoch}):
                raise StorageAway(self._database.name) from None
            return None

    async def _page_of_old(self, after: str | None, before: datetime) -> list[str]:
        query = select(table.c.id).where(table.c.created_at < before)
        query = paging.by_name(query, table.c.id, after, _BATCH)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())
