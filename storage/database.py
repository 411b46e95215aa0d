"""Opening a database and its transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from asyncpg import PostgresError
from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.errors import StorageAway

# PostgreSQL classes (its manual, appendix A): connection lost, out of resources,
# operator intervention, system error. The same transaction may succeed later.
_AWAY_CLASSES = ("08", "53", "57", "58")


class Database:
    """One database: short writing transactions, and reading ones beside them."""

    def __init__(self, name: str, writer: AsyncEngine, reader: AsyncEngine) -> None:
        self.name = name
        self._writer = writer
        self._reader = reader

    @property
    def dialect(self) -> str:
        return self._writer.dialect.name

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A writing transaction; it commits when the block ends well, else nothing happened."""
        async with self._transaction(self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads; on SQLite it does not queue behind writers.

        Never decide a permission here: nothing is locked.
        """
        async with self._transaction(self._reader) as connection:
            yield connection

    async def ping(self) -> None:
        """Raise `StorageAway` unless the database answers."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with AsyncExitStack() as stack:
                try:
                    connection = await stack.enter_async_context(engine.begin())
                except (PoolTimeout, OSError, PostgresError) as error:
                    # Drivers raise these unwrapped while connecting.
                    raise StorageAway(self.name) from error
                yield connection
        except DBAPIError as error:
            if is_away(error):
                raise StorageAway(self.name) from error
            raise


def is_away(error: DBAPIError) -> bool:
    """Say whether the database is unusable now, rather than the statement wrong."""
    if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
        return True
    return str(getattr(error.orig, "sqlstate", "") or "").startswith(_AWAY_CLASSES)


@asynccontextmanager
async def open_database(name: str, url: str, *, connections: int = 10) -> AsyncIterator[Database]:
    """Keep *url* open for the life of the block; connecting happens at first use."""
    parsed = driver_url(url)
    if parsed.get_backend_name() == "sqlite":
        database = Database(name, _sqlite(parsed, writing=True), _sqlite(parsed, writing=False))
    else:
        engine = _postgresql(parsed, connections)
        database = Database(name, engine, engine)
    try:
        yield database
    finally:
        await database.close()


def driver_url(url: str) -> URL:
    """The URL of the configuration with the driver that we use for it."""
    parsed = make_url(url)
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    return parsed.set(drivername=drivers[parsed.get_backend_name()])


def _postgresql(url: URL, connections: int) -> AsyncEngine:
    return create_async_engine(
        url,
        hide_parameters=True,  # errors would quote personal data
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={
            "timeout": 5,
            "server_settings": {
                "application_name": "consent-gateway",
                "synchronous_commit": "on",
                "lock_timeout": "15s",
                "idle_in_transaction_session_timeout": "60s",
                "jit": "off",
            },
        },
    )


def _sqlite(url: URL, *, writing: bool) -> AsyncEngine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=1 if writing else 4,
        max_overflow=0,
        pool_timeout=10,
        connect_args={"timeout": 10},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.execute("PRAGMA secure_delete=ON")  # deleted means overwritten
        if not writing:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
