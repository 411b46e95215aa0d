"""Taking a backup: every row of data and key store, each store as it was at one moment.

The data's moment comes first, the key store's directly after it, for that is the skew
which the design works off: keys that no row names are swept, and who was erased in
between is erased again. The other way round whoever signed up in between would have
no key. Both moments are kept from then on, however long the rows take.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import publish, published
from audit.checkpoints import Verifier
from audit.log import Log
from consent.keys import epochs
from gateway.backups import age, folders, manifest, stream
from gateway.backups.manifest import LogPlace, Manifest, Store, StoreFile
from gateway.errors import BackupError
from gateway.schema import database_schema
from gateway.schema.database_schema import GUARD
from storage import files
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys

Progress = Callable[[int, int], None]  # rows done, rows in all
_AT_ONCE = 250  # rows that are in memory
# A full disk, or a slow one, holds a transaction up that the server would end.
_PATIENT = text("SET LOCAL idle_in_transaction_session_timeout = '1h'")


@dataclass(frozen=True)
class Source:
    """What is backed up, and with whose keys that is signed."""

    stores: dict[Store, Database]
    guard: Database
    log: Log
    verifier: Verifier
    rows: RowKeys
    clock: Clock


async def take(
    folder: Path, source: Source, recipients: Sequence[str], progress: Progress
) -> tuple[Path, Manifest]:
    """Make a backup in *folder*, whole and on the disk before it has its name.

    The gateway may run. A run that is killed leaves what the next one removes.
    """
    for recipient in recipients:
        age.check_recipient(recipient)
    try:
        with folders.alone(folder):
            return await _take(folder, source, recipients, progress)
    except OSError as error:
        raise BackupError(folders.unwritten(folder, error)) from None


async def _take(
    folder: Path, source: Source, recipients: Sequence[str], progress: Progress
) -> tuple[Path, Manifest]:
    async with AsyncExitStack() as stack:
        frozen = {}
        for store in (Store.DATA, Store.KEYSTORE):
            # The last time round: a key that is wrapped anew after it counts as not in here.
            made_at = await _now(source)
            connection = await stack.enter_async_context(source.stores[store].snapshot())
            frozen[store] = await _freeze(connection, store)
        # Only now: counting large tables takes as long as reading them.
        counts = {store: await _count(one) for store, one in frozen.items()}
        place = await _place(frozen[Store.DATA].connection, source)
        guard_size = await _guard_size(source)
        known = await epochs.recorded(frozen[Store.KEYSTORE].connection)
        total = sum(counts.values())
        name = folders.name(made_at)
        with folders.draft(folder, name) as draft:
            stores: dict[Store, StoreFile] = {}
            for store, one in frozen.items():
                before = sum(file.rows for file in stores.values())
                so_far = partial(_so_far, progress, before, total)
                stores[store] = await _write(draft, one, recipients, so_far)
            made = Manifest(
                name, made_at, stores, place, guard_size, known, tuple(sorted(recipients))
            )
            files.create(draft / manifest.NAME, manifest.encode(made, source.rows))
    return folder / name, made


async def _now(source: Source) -> datetime:
    """By the clock that tells when keys were wrapped anew."""
    async with source.stores[Store.KEYSTORE].read() as connection:
        return await source.clock.now(connection)


def _so_far(progress: Progress, before: int, total: int, rows: int) -> None:
    progress(before + rows, total)


@dataclass(frozen=True)
class _Frozen:
    """A store as it was at one moment."""

    store: Store
    connection: AsyncConnection
    revision: str
    tables: Sequence[Table]


async def _freeze(connection: AsyncConnection, store: Store) -> _Frozen:
    """Its first statement is what the moment is taken by."""
    found = await database_schema.revision(connection, store.schema)
    if found is None or found != database_schema.head(store.schema):
        # Of a later release's tables this one knows less than there is.
        said = "back up with the release that its tables are of, or run `gateway db upgrade` first"
        raise BackupError(f"the {store} store is not at this release: {said}")
    if connection.dialect.name == "postgresql":
        await connection.execute(_PATIENT)
    tables = [table for one in store.schema.tables for table in one.sorted_tables]
    return _Frozen(store, connection, found, tables)


async def _count(frozen: _Frozen) -> int:
    counts = [select(func.count()).select_from(table) for table in frozen.tables]
    return sum([(await frozen.connection.execute(one)).scalar_one() for one in counts])


async def _place(connection: AsyncConnection, source: Source) -> LogPlace:
    newest = await published.newest(connection, source.verifier, source.log.generation)
    size = await source.log.size(connection)
    return LogPlace(source.log.origin, size, None if newest is None else newest.note)


async def _guard_size(source: Source) -> int | None:
    """A backup is worth most when something else is away."""
    try:
        if await database_schema.is_empty(source.guard, GUARD):
            return None
        return await publish.held_size(source.guard, source.log.origin)
    except StorageAway:
        return None


async def _write(
    draft: Path, frozen: _Frozen, recipients: Sequence[str], progress: Callable[[int], None]
) -> StoreFile:
    path = draft / f"{frozen.store}.rows.gz{age.SUFFIX if recipients else ''}"
    done = 0
    with stream.written(path, recipients) as (write, measured):
        async for line, rows in _lines(frozen):
            await asyncio.to_thread(write, line)
            done += rows
            progress(done)
    kind = frozen.connection.dialect.name
    return StoreFile(path.name, kind, frozen.revision, done, measured.size, measured.sha256)


async def _lines(frozen: _Frozen) -> AsyncIterator[tuple[Any, int]]:
    """The lines of the file, and how many rows are in each."""
    numbers: dict[str, int] = {}
    for table in frozen.tables:
        numbers |= await _number(frozen.connection, table)
    head = {"format": manifest.FORMAT, "store": frozen.store, "revision": frozen.revision}
    yield head | {"numbers": numbers}, 0
    total = 0
    for table in frozen.tables:
        yield {"table": table.name, "columns": [column.name for column in table.columns]}, 0
        query = _every(frozen.connection, table)
        rows = await frozen.connection.stream(query, execution_options={"yield_per": _AT_ONCE})
        async for page in rows.partitions(_AT_ONCE):
            yield [list(row) for row in page], len(page)
            total += len(page)
    yield {"rows": total}, 0


def _every(connection: AsyncConnection, table: Table) -> Executable:
    """Every row as it stands there, whatever it holds."""
    if connection.dialect.name == "postgresql":
        return select(table)  # of moments, those that the driver can read
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(column.name) for column in table.columns)
    return text(f"SELECT {columns} FROM {quote(table.name)}")  # noqa: S608 our own names


async def _number(connection: AsyncConnection, table: Table) -> dict[str, int]:
    """The last number that was given in a table that never gives one twice."""
    column = table.autoincrement_column
    if column is None or column.autoincrement is not True:
        return {}
    query = f"SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '{table.name}'"  # noqa: S608
    if connection.dialect.name == "postgresql":
        last = "CASE WHEN is_called THEN last_value ELSE last_value - 1 END"
        query = f"SELECT {last} FROM {table.name}_{column.name}_seq"  # noqa: S608
    return {f"{table.name}.{column.name}": (await connection.execute(text(query))).scalar_one()}
