"""Opening a database and its transactions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from pathlib import Path
from typing import Any

from asyncpg import PostgresError
from sqlalchemy import event, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from storage import files, one_hop
from storage.errors import StorageAway
from storage.kept import Kept
from storage.refusals import is_away, why

_BUSY = "SQLITE_BUSY"
_SQLITE_PATIENCE = 10  # seconds, for somebody else's lock
_SQLITE_READERS = 4


class Database:
    """One database: short writing transactions, and reading ones beside them."""

    def __init__(
        self, name: str, writers: Kept, readers: Kept, frozen: AsyncEngine | None = None
    ) -> None:
        """With SQLite *frozen* is for who reads what must be of one moment."""
        self.name = name
        self._writers = writers
        self._readers = readers
        self._frozen = frozen

    @property
    def dialect(self) -> str:
        return self._writers.dialect

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A writing transaction; it commits when the block ends well, else nothing happened."""
        return self._writers.lend(writing=True)

    def at_once(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For one statement that writes, committed when it has answered; no lock outlives it.

        A transaction around it would be two more round trips.
        """
        return self._writers.lend(writing=False)

    def in_one(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For one call of `writing.insert_each`, which needs a transaction with SQLite alone."""
        return self.at_once() if self.dialect == "postgresql" else self.begin()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Statements that only read, each as of its own moment; it does not queue behind writers.

        Never decide here whether a mail goes: nothing is locked. It is no transaction, whose
        beginning and end would be two more round trips: no lock outlives its statement.
        """
        return self._readers.lend(writing=False)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """As `read`, and every statement sees the same moment."""
        opening = self.begin() if self._frozen is None else self._opened(self._frozen.begin())
        async with opening as connection:
            if self._frozen is None:
                level = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
                await connection.execute(text(level))
            yield connection

    async def ping(self) -> None:
        """Raise `StorageAway` unless the database answers."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def empty_wal(self) -> bool:
        """Cut SQLite's write-ahead log to nothing: deleted rows may still be read from it.

        False while somebody reads what is in it; ask again. On PostgreSQL there
        is nothing to do: its log is in the operator's hands (docs/operations.md).
        """
        if self.dialect != "sqlite":
            return True
        async with self.at_once() as connection:
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            assert driver is not None  # noqa: S101 it is checked out
            async with driver.execute("PRAGMA wal_checkpoint(TRUNCATE)") as cursor:
                busy, *_ = await cursor.fetchone()
        return not busy

    async def close(self) -> None:
        for kept in (self._writers, self._readers):
            await kept.close()
        if self._frozen is not None:
            await self._frozen.dispose()

    @asynccontextmanager
    async def _opened(
        self, opening: AbstractAsyncContextManager[AsyncConnection]
    ) -> AsyncIterator[AsyncConnection]:
        try:
            async with AsyncExitStack() as stack:
                try:
                    connection = await stack.enter_async_context(opening)
                except (PoolTimeout, OSError, PostgresError) as error:
                    # Drivers raise these unwrapped while connecting.
                    raise StorageAway(self.name, why(error)) from error
                yield connection
        except DBAPIError as error:
            if is_away(error):
                raise StorageAway(self.name, why(error)) from error
            raise


@asynccontextmanager
async def open_database(
    name: str,
    url: str,
    *,
    connections: int = 10,
    patience: float | None = 60,
    references: bool = True,
) -> AsyncIterator[Database]:
    """Keep *url* open for the life of the block; connecting happens at first use.

    A statement that PostgreSQL has not answered after *patience* seconds counts as
    lost: a machine that vanished without a word would be waited for for ever.
    Without *references* SQLite takes rows as they come, also what names a row that is not there.
    """
    parsed = driver_url(url)
    if parsed.get_backend_name() == "sqlite":
        writer = _sqlite(parsed, 1, writing=True, references=references)
        reader, frozen = (_sqlite(parsed, _SQLITE_READERS) for _ in range(2))

        @event.listens_for(frozen.sync_engine, "begin")
        def begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN")

        readers = Kept(name, reader, _SQLITE_READERS)
        database = Database(name, Kept(name, writer, 1), readers, frozen)
    else:
        engine = _postgresql(name, parsed, connections, patience)
        kept = Kept(name, engine, connections)
        database = Database(name, kept, kept)
    try:
        yield database
    finally:
        await database.close()


def driver_url(url: str) -> URL:
    """The URL of the configuration with the driver that we use for it."""
    parsed = make_url(url)
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    return parsed.set(drivername=drivers[parsed.get_backend_name()])


def sqlite_files(url: str | URL) -> list[Path]:
    """The file of a SQLite database and what SQLite writes beside it; none of another one."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return []
    return [Path(f"{parsed.database}{beside}") for beside in ("", "-wal", "-shm", "-journal")]


def _postgresql(name: str, url: URL, connections: int, patience: float | None) -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,  # errors would quote personal data
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=10,
        connect_args={
            "timeout": 5,
            "command_timeout": patience,
            "server_settings": {
                "application_name": "consent-gateway",
                "synchronous_commit": "on",
                "lock_timeout": "15s",
                # Shorter than lock_timeout: who waits for a stopped process outlasts it.
                "idle_in_transaction_session_timeout": "10s",
                "jit": "off",
            },
        },
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def still_open(connection: Any, _record: object, _proxy: object) -> None:
        # The driver notices when a server hangs up; asking it each time would be a round trip.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    @event.listens_for(engine.sync_engine, "handle_error")
    def lost(context: ExceptionContext) -> Exception | None:
        # asyncpg lets a lost socket, and an answer that did not come in time, through as they are.
        if not isinstance(context.original_exception, OSError):
            return None
        context.is_disconnect = True
        return StorageAway(name, why(context.original_exception))

    return engine


def _sqlite(
    url: URL, connections: int, *, writing: bool = False, references: bool = True
) -> AsyncEngine:
    if beside := sqlite_files(url):
        with suppress(OSError):  # then connecting says that it is away, now and later
            files.make_folder(beside[0].parent)
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=10,
        connect_args={"timeout": _SQLITE_PATIENCE, "async_creator_fn": _opened},
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def make_private(*_: object) -> None:
        # SQLite would make it by the umask, and gives -wal and -shm the mode of the file. One that
        # is there must not be opened: closing it would end the locks that SQLite has on it.
        with suppress(OSError):
            for path in beside[:1]:
                path.touch(mode=0o600, exist_ok=False)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        try:
            _set_up(connection, writing=writing, references=references)
        except BaseException:
            connection.close()  # the pool lets go of it, and its thread would wait for ever
            raise

    return engine


async def _opened(database: str, **settings: Any) -> one_hop.Connection:
    made = one_hop.connect(database, **settings)
    made._thread.daemon = True
    try:
        await made
    except BaseException:
        # Its last word would come to a loop that may be closed by then.
        await asyncio.to_thread(made._thread.join)
        raise
    return made


def _set_up(connection: Any, *, writing: bool, references: bool) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    # Text that is not UTF-8 would fail the whole statement, and pass for a store that is away.
    connection.driver_connection.text_factory = _text
    cursor = connection.cursor()
    _use_wal(cursor)
    for pragma in ("synchronous=FULL", f"foreign_keys={'ON' if references else 'OFF'}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute("PRAGMA secure_delete=ON")  # deleted means overwritten
    if not writing:
        cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


def _use_wal(cursor: Any) -> None:
    """Switch a file to its write-ahead log, or find it there.

    SQLite waits for any lock but the one of this switch: of several processes
    that open a new file at once, all but one would be told that it is locked.
    """
    for _ in range(_SQLITE_PATIENCE * 100):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not str(error.sqlite_errorname).startswith(_BUSY):
                raise
            await_only(asyncio.sleep(0.01))
        else:
            return
    cursor.execute("PRAGMA journal_mode=WAL")
