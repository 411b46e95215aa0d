"""SQLite in a thread of its own, asked once for a statement and everything it answers.

aiosqlite asks its thread four times for each statement: for a cursor, to execute, for the rows,
to close. Each time two threads change places, which takes longer than most statements do.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite

# Rows that come with the answer. Whoever streams more fetches the others part by part.
_AT_ONCE = 1000
_Run = Callable[[sqlite3.Cursor, str, Any], sqlite3.Cursor]


class Connection(aiosqlite.Connection):
    """As aiosqlite's, but for what a cursor of it costs, and the end of what never began."""

    _begun = False

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor for one statement, of which the thread learns when it executes."""
        return Cursor(self)

    async def commit(self) -> None:
        await self._end(super().commit)

    async def rollback(self) -> None:
        await self._end(super().rollback)

    def is_closed(self) -> bool:
        return self._connection is None

    async def rows(self, statement: str, *given: Any) -> Sequence[Any]:
        """What a *statement* answers, all of it."""
        return await (await self.cursor().execute(statement, given)).fetchall()

    async def changed(self, statement: str, *rows: Sequence[Any]) -> int:
        """How many rows a *statement* changed, executed once with each of *rows*."""
        return (await self.cursor().executemany(statement, rows)).rowcount

    async def hop(self, work: Callable[..., None], *arguments: Any) -> None:
        """Let the thread do this; what it raises is raised here."""
        await self._execute(work, *arguments)  # type: ignore[no-untyped-call]

    def asks(self, operation: str) -> None:
        """Remember that a transaction begins, also for who is cancelled before it has."""
        self._begun = self._begun or operation.startswith("BEGIN")

    async def _end(self, by: Callable[[], Awaitable[None]]) -> None:
        """Where SQLite refuses, it goes on: a commit that failed is to be rolled back."""
        if self._begun:
            await by()
            self._begun = False


class Cursor:
    """What SQLAlchemy asks of a cursor; the thread is asked as seldom as can be.

    A statement that answers with few rows is over when `execute` returns. One that answers with
    more holds the database's cursor until they are fetched, or it is closed.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open: sqlite3.Cursor | None = None
        self._rows: deque[Any] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Iterable[Any] = ()) -> Self:
        return await self._ask(sqlite3.Cursor.execute, operation, parameters)

    async def executemany(self, operation: str, parameters: Iterable[Iterable[Any]]) -> Self:
        return await self._ask(sqlite3.Cursor.executemany, operation, parameters)

    async def _ask(self, run: _Run, operation: str, parameters: Any) -> Self:
        self._connection.asks(operation)
        await self._connection.hop(self._answer, run, operation, parameters)
        return self

    def _answer(self, run: _Run, operation: str, parameters: Any) -> None:
        """In the thread."""
        cursor = self._connection._conn.cursor()
        try:
            run(cursor, operation, parameters)
            self.description = cursor.description
            self._open = cursor if cursor.description else None
            self._fill(_AT_ONCE)
        finally:
            if self._open is None:
                cursor.close()
        # With RETURNING it is known once all rows were read.
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid

    def _fill(self, size: int) -> None:
        """In the thread: *size* more rows, and the end of the cursor where there are fewer."""
        if self._open is None:
            return
        rows = self._open.fetchmany(size)
        self._rows.extend(rows)
        if len(rows) < size:
            self._end()

    def _end(self) -> None:
        """In the thread."""
        cursor, self._open = self._open, None
        if cursor is not None:
            cursor.close()

    async def fetchone(self) -> Any:
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> Sequence[Any]:
        wanted = size or self.arraysize
        if self._open is not None and len(self._rows) < wanted:
            await self._connection.hop(self._fill, max(_AT_ONCE, wanted - len(self._rows)))
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    async def fetchall(self) -> Sequence[Any]:
        while self._open is not None:
            await self._connection.hop(self._fill, 10 * _AT_ONCE)
        rows, self._rows = self._rows, deque()
        return rows

    async def close(self) -> None:
        if self._open is not None:
            await self._connection.hop(self._end)


def connect(database: str, **settings: Any) -> Connection:
    """A connection that opens when it is awaited, as `aiosqlite.connect` makes one."""
    return Connection(partial(sqlite3.connect, database, **settings), _AT_ONCE)
