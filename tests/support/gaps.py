"""The gaps between durable effects: a transaction that fails, with or without its effect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.errors import StorageAway


@dataclass
class Gap:
    """One writing transaction that fails: the *at*-th from now."""

    at: int
    happened: bool
    reached: bool = False
    count: int = 0

    def is_here(self) -> bool:
        self.count += 1
        self.reached = self.reached or self.count == self.at
        return self.count == self.at


@contextmanager
def gap(database: Database, at: int, *, happened: bool) -> Iterator[Gap]:
    """Let the *at*-th writing transaction fail as a lost connection does.

    With *happened* its commit took effect and only the answer was lost;
    otherwise everything but the commit was done.
    """
    begin, one = database.begin, Gap(at, happened)

    @asynccontextmanager
    async def failing() -> AsyncIterator[AsyncConnection]:
        here = one.is_here()
        async with begin() as connection:
            yield connection
            if here and not happened:
                raise StorageAway(database.name)
        if here:
            raise StorageAway(database.name)

    database.begin = failing  # type: ignore[method-assign]
    try:
        yield one
    finally:
        del database.begin
