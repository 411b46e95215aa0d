"""A PostgreSQL where what our processes commit waits until it is let on, or its connection is cut.

It waits for a standby that there is not: it is written then, and nobody was told. Who is cut off
there has made a change and hears of a loss, however fast the machine is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg

from tests.support.postgres import Postgres
from tests.support.waiting import PATIENCE

HOLDING = ["-c", "synchronous_standby_names=nobody"]
# Of a transaction that is committed, and waits, its locks are still there.
_HELD = """
SELECT pid, query_start, EXISTS (
  SELECT FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid AND relation = ANY($2::oid[])
) FROM pg_stat_activity WHERE application_name = 'consent-gateway' AND wait_event = $1
"""
_NUMBER = "SELECT $1::text::regclass::oid"
_Answer = TypeVar("_Answer")


@dataclass
class HeldCommits:
    """What our processes commit on a server that was started with `HOLDING`.

    Those count that wrote to, or locked rows of, one of some tables: what a process does by
    itself comes in between.
    """

    server: Postgres
    tables: frozenset[int]
    _dealt_with: set[Any] = field(default_factory=set)

    @classmethod
    async def of(cls, server: Postgres, tables: Mapping[str, Collection[str]]) -> HeldCommits:
        """Of *tables*, by the URLs of their databases."""
        numbers: set[int] = set()
        for url, names in tables.items():
            async with _connected(url) as looking:
                found = [await looking.fetchval(_NUMBER, one) for one in names]
            numbers |= {*found}
        return cls(server, frozenset(numbers))

    async def let_on(self, asking: Awaitable[_Answer]) -> _Answer:
        """What *asking* comes to while each commit is let on."""
        return (await self.cut(asking, 0))[0]

    async def cut(
        self, asking: Awaitable[_Answer], at: int, otherwise: Callable[[], None] | None = None
    ) -> tuple[_Answer, bool]:
        """The same, but that the connection of the *at*-th commit is ended, if there is one.

        Or what *otherwise* ends.
        """
        counted = 0

        async def deal() -> None:
            nonlocal counted
            for pid, counts in await self._waiting("SyncRep"):
                counted += counts
                if not counts or counted != at:
                    # Cancelled, the wait for a standby is over and the commit answered as done.
                    await self._tell("cancel", pid)
                elif otherwise is None:
                    await self._tell("terminate", pid)
                else:
                    otherwise()
                    return

        return await _meanwhile(asking, deal), 0 < at <= counted

    async def cut_before(self, asking: Awaitable[_Answer], url: str, table: str) -> _Answer:
        """What *asking* comes to while whoever would write to *table* there is ended before it."""

        async def deal() -> None:
            for pid, _ in await self._waiting("relation"):
                await self._tell("terminate", pid)

        async with _connected(url) as holding, holding.transaction():
            # What is held may hold it, too.
            await self.let_on(holding.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
            return await _meanwhile(asking, deal)

    async def _waiting(self, what: str) -> list[tuple[int, bool]]:
        async with _connected(self.server.url()) as looking:
            found = {tuple(one) for one in await looking.fetch(_HELD, what, [*self.tables])}
        new = found - self._dealt_with  # a second signal would end its next statement
        self._dealt_with |= new
        return [(pid, counts) for pid, _, counts in sorted(new)]

    async def _tell(self, how: str, pid: int) -> None:
        async with _connected(self.server.url()) as telling:
            await telling.execute(f"SELECT pg_{how}_backend({pid})")


async def _meanwhile(asking: Awaitable[_Answer], deal: Callable[[], Awaitable[None]]) -> _Answer:
    asked = asyncio.ensure_future(asking)
    try:
        async with asyncio.timeout(PATIENCE):
            while not asked.done():
                await deal()
                await asyncio.wait([asked], timeout=0.005)
    finally:
        asked.cancel()
    return await asked


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
