"""Connections, handed from one transaction to the next as they are.

SQLAlchemy's engine looks a connection over as it hands it out and as it comes back, and begins
and ends by layers of its own: of a transaction with one statement that was two thirds of the
processor's time. Here a connection stays checked out between its uses; what goes wrong goes
back to SQLAlchemy's pool, which knows how to clear up.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage import straight
from storage.errors import StorageAway
from storage.refusals import is_away, why

_PATIENCE: Final = 10  # seconds, for a connection that others have


class Kept:
    """At most so many connections of an engine, used by this alone."""

    def __init__(self, name: str, engine: AsyncEngine, most: int) -> None:
        self.name = name
        self._engine = engine
        self._turns = asyncio.Semaphore(most)  # in the order in which they came
        self._idle: list[AsyncConnection] = []

    @property
    def dialect(self) -> str:
        return self._engine.dialect.name

    def lend(self, *, writing: bool) -> Lent:
        """A connection for the length of a block: in a transaction, or each statement for itself.

        A block that fails leaves nothing behind.
        """
        return Lent(self, writing=writing)

    async def take(self) -> AsyncConnection:
        """One that is open, as far as its driver knows; asking the server would be a round trip."""
        await self._wait()
        try:
            while self._idle:
                connection = self._idle.pop()
                if straight.is_open(connection):
                    return connection
                await connection.close()
            return await self._engine.connect()
        except BaseException:
            self._turns.release()
            raise

    async def _wait(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()  # at once
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._turns.acquire()
        except TimeoutError:
            raise PoolTimeout("all connections are in use") from None

    def give_back(self, connection: AsyncConnection) -> None:
        """What is as it was when it was taken."""
        self._idle.append(connection)
        self._turns.release()

    async def give_up(self, connection: AsyncConnection) -> None:
        """What may be in any state: rolled back, and looked over before it is used again."""
        try:
            # To its end, also where whoever waits for it is cancelled.
            await asyncio.shield(asyncio.ensure_future(connection.close()))
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Let go of those that nobody uses, and of the engine."""
        while self._idle:
            await self._idle.pop().close()
        await self._engine.dispose()


class Lent:
    """One use of a connection: by hand, for this is entered some times for each few mails."""

    __slots__ = ("_connection", "_kept", "_writing")

    _connection: AsyncConnection

    def __init__(self, kept: Kept, *, writing: bool) -> None:
        self._kept = kept
        self._writing = writing

    async def __aenter__(self) -> AsyncConnection:
        try:
            self._connection = await self._kept.take()
        except (PoolTimeout, OSError, PostgresError) as error:
            # Drivers raise these unwrapped while connecting.
            raise StorageAway(self._kept.name, why(error)) from error
        except DBAPIError as error:
            self._tell(error)
            raise
        try:
            await straight.prepare(self._connection, writing=self._writing)
        except BaseException as error:
            await self._kept.give_up(self._connection)
            self._tell(error)
            raise
        return self._connection

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if error is not None:
            await self._kept.give_up(self._connection)
            self._tell(error)
            return
        try:
            await straight.end(self._connection)
        except BaseException as late:
            await self._kept.give_up(self._connection)
            self._tell(late)
            raise
        self._kept.give_back(self._connection)

    def _tell(self, error: BaseException) -> None:
        """Raise `StorageAway` for what says that the database cannot be used."""
        if isinstance(error, DBAPIError) and is_away(error):
            raise StorageAway(self._kept.name, why(error)) from error
