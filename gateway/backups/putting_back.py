"""Putting a backup back: a store as it was, in the place of what is there or of nothing.

Each store changes in one transaction, so a run that is killed leaves the old one
or the new one, and may be repeated. What the guard, the log's owner and the people
concerned have to be told of it is not done here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from asyncpg import DataError, IntegrityConstraintViolationError
from sqlalchemy import MetaData, Table, text, types
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import log as audit_log
from gateway.backups import age, reading, stream
from gateway.backups.manifest import FORMAT, Manifest, Store, StoreFile
from gateway.errors import BackupError, TargetInUse
from gateway.schema import database_schema
from storage.database import open_database, sqlite_files
from storage.honesty import RowKeys

# Keys first: data whose keys are not there yet could not be read.
_ORDER = (Store.KEYSTORE, Store.DATA)
# Twice what may be there once, and with PostgreSQL what is of another type than its column.
_UNFIT = (
    IntegrityError,
    IntegrityConstraintViolationError,
    DataError,
    ValueError,
    TypeError,
    OverflowError,
)


class Found(NamedTuple):
    """What a target holds already."""

    revision: str
    log_size: int | None  # of the data
    rows: bool  # without any, a backup takes the place of nothing


async def put_back(
    backup: Path,
    targets: Mapping[Store, str],
    keys: RowKeys,
    *,
    identity: Path | None = None,
    replace: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> Manifest:
    """Put the stores that *targets* names back to what they were, at the URLs that it gives.

    Nothing is written before every file was found to be the manifest's, and no store
    changes where it was another one by the time it was read. Raises
    `BackupError`, and `TargetInUse` where there are rows and not *replace*. On
    PostgreSQL the database itself must be there. No gateway may run: on PostgreSQL
    its transactions are waited for, and on SQLite it would go on with what is no more.
    """
    backup = reading.newest(backup)
    known = reading.read(backup, keys)
    await reading.check(backup, known, targets)
    opened = [] if identity is None else age.identities(identity)
    for store, url in targets.items():
        found = await standing(url, store)
        if found is not None and found.rows and not replace:
            raise TargetInUse(store, *_told(known, found))
    done = 0
    for store in _ORDER:
        if store in targets:
            file = known.stores[store]
            done += await _put(backup, file, store, targets[store], opened, done, progress)
    return known


async def standing(url: str, store: Store) -> Found | None:
    """What is there already; None where there are no tables of *store*. Makes nothing."""
    if any(not path.exists() for path in sqlite_files(url)[:1]):
        return None
    async with open_database(store, url, connections=1) as database, database.read() as connection:
        revision = await database_schema.revision(connection, store.schema)
        if revision is None:
            return None
        if not await database_schema.has_rows(connection, store.schema):
            return Found(revision, 0 if store is Store.DATA else None, rows=False)
        size = await audit_log.entries(connection) if store is Store.DATA else None
        return Found(revision, size, rows=True)


def _told(known: Manifest, found: Found) -> tuple[str, str]:
    if found.log_size is None:
        return f"tables {found.revision}", f"taken {known.made_at:%Y-%m-%d %H:%M} UTC"
    return f"log of {found.log_size} entries", f"{known.log.size} entries"


async def _put(
    backup: Path,
    wanted: StoreFile,
    store: Store,
    url: str,
    identities: Sequence[age.Identity],
    before: int,
    progress: Callable[[int], None],
) -> int:
    """Replace one store by what the file says, in one transaction; returns how many rows."""
    path = backup / wanted.file
    # Rows are put back as they stood, also those that convict whoever wrote them.
    opening = open_database(store, url, connections=1, patience=None, references=False)
    with stream.read(path, identities, (wanted.size, wanted.sha256)) as lines:
        async with opening as database, database.begin() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            head = await _next(lines)
            _check_head(head, store, path)
            await database_schema.drop(connection, store.schema)
            await database_schema.make(connection, store.schema, head["revision"])
            filling = _Filling(connection, await connection.run_sync(_reflected), path)
            while "rows" not in (line := await _next(lines) or {"rows": -1}):
                if isinstance(line, dict):
                    filling.begin(line)
                else:
                    progress(before + await filling.take(line))
            if line["rows"] != filling.rows:
                raise BackupError(f"{path} ends too early")
            if filling.rows != wanted.rows:
                raise BackupError(f"{path} has another number of rows than its manifest says")
            if await _next(lines) is not None:  # here its hash is compared
                raise BackupError(f"{path} goes on behind its end")
            for place, number in head["numbers"].items():
                table, column = place.split(".")
                await _go_on(connection, table, column, number)
            await database_schema.finish(connection, store.schema)
            return filling.rows


async def _next(lines: Iterator[Any]) -> Any:
    """Unpacking and decrypting take their time; None at the end."""
    return await asyncio.to_thread(next, lines, None)


def _check_head(head: Any, store: Store, path: Path) -> None:
    if not isinstance(head, dict) or head.get("store") != store or head.get("format") != FORMAT:
        raise BackupError(f"{path} does not begin as rows of the {store} store")


def _reflected(connection: Any) -> Mapping[str, Table]:
    metadata = MetaData()
    metadata.reflect(connection)
    return metadata.tables


class _Filling:
    """Puts rows into the tables of a transaction, as the columns of that time take them."""

    def __init__(
        self, connection: AsyncConnection, tables: Mapping[str, Table], path: Path
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._path = path
        self._columns: Sequence[str] = ()
        self._table: Table | None = None
        self._readers: Sequence[Callable[[Any], Any]] = ()
        self.rows = 0

    def begin(self, line: Mapping[str, Any]) -> None:
        self._table = self._tables[line["table"]]
        self._columns = line["columns"]
        self._readers = [self._reader(self._table.c[name].type) for name in self._columns]

    async def take(self, page: Sequence[Sequence[Any]]) -> int:
        """Put a page of rows there; returns how many there are by now."""
        assert self._table is not None  # noqa: S101 a table's line comes first
        readers = self._readers
        try:
            rows = [
                tuple(read(value) for read, value in zip(readers, row, strict=True)) for row in page
            ]
            await self._insert(self._table, rows)
        except _UNFIT:
            said = f"{self._path}: rows of {self._table.name} cannot stand in its tables"
            raise BackupError(f"{said}; `gateway audit verify` names such rows") from None
        self.rows += len(rows)
        return self.rows

    async def _insert(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        if self._connection.dialect.name == "sqlite":
            quote = self._connection.dialect.identifier_preparer.quote
            names = ", ".join(map(quote, self._columns))
            marks = ", ".join("?" * len(self._columns))
            statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})"  # noqa: S608 quoted
            await self._connection.exec_driver_sql(statement, list(rows))
            return
        raw = await self._connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.copy_records_to_table(table.name, records=rows, columns=self._columns)

    def _reader(self, type_: types.TypeEngine[Any]) -> Callable[[Any], Any]:
        """SQLite takes anything anywhere; PostgreSQL each type in its own column."""
        if self._connection.dialect.name == "sqlite":
            return stream.value_of
        if isinstance(type_, types.DateTime):
            return _moment
        if isinstance(type_, types.Boolean):
            return _truth
        return stream.value_of


def _moment(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)


def _truth(told: bool | int | None) -> bool | None:
    return None if told is None else bool(told)


async def _go_on(connection: AsyncConnection, table: str, column: str, number: int) -> None:
    """Let the numbers of a column go on behind the last one that was given."""
    given = {"table": table, "number": number}
    if connection.dialect.name == "postgresql":
        query = "SELECT setval(pg_get_serial_sequence(:table, :column), :number + 1, false)"
        await connection.execute(text(query), given | {"column": column})
        return
    await connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), given)
    query = "INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :number)"
    await connection.execute(text(query), given)
