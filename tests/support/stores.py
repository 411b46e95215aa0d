"""The databases of a running gateway, as somebody sees them who can read and write rows."""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    MetaData,
    Table,
    and_,
    delete,
    false,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, open_database
from tests.support.gateways import Gateway

Rows = list[dict[str, Any]]


def urls(gateway: Gateway) -> tuple[str, str]:
    """Where data and key store are."""
    storage = tomllib.loads(gateway.config.read_text())["storage"]
    beside = f"sqlite:///{gateway.directory}/"  # where a configuration means it
    data, keys = (
        re.sub("^sqlite:///(?!/)", beside, storage[name]) for name in ("url", "keystore_url")
    )
    return data, keys


@asynccontextmanager
async def open_data(gateway: Gateway) -> AsyncIterator[Database]:
    async with open_database("data", urls(gateway)[0]) as opened:
        yield opened


def in_an_hour() -> str:
    """A moment at which nothing that a test waits for happens."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))


async def rows(connection: AsyncConnection, table: Table) -> Rows:
    """Every row, in the order of its primary key."""
    query = select(table).order_by(*table.primary_key.columns)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def dump(database: Database, only: Iterable[str] | None = None) -> dict[str, Rows]:
    """Every table, or those named, with every column as it is stored, all at one moment.

    Read one after another, a commit in between would show in some tables only.
    """
    metadata = MetaData()
    async with database.snapshot() as connection:
        await connection.run_sync(metadata.reflect)
        wanted = set(metadata.tables) if only is None else set(only)
        return {name: await rows(connection, metadata.tables[name]) for name in sorted(wanted)}


class Kept:
    """Some tables as they were, to undo what was done to them; referenced ones come first."""

    def __init__(self, tables: Sequence[Table], kept: Sequence[Rows]) -> None:
        self._tables = dict(zip(tables, kept, strict=True))

    @classmethod
    async def of(cls, connection: AsyncConnection, *tables: Table) -> Kept:
        return cls(tables, [await rows(connection, table) for table in tables])

    async def put_back(self, connection: AsyncConnection) -> None:
        for table, kept in reversed(self._tables.items()):
            same = [_is(table, row) for row in kept] if _is_referenced(table) else []
            await connection.execute(delete(table).where(~or_(false(), *same)))
        for table, kept in self._tables.items():
            for row in kept:
                done = await connection.execute(update(table).where(_is(table, row)).values(row))
                if done.rowcount == 0:
                    await connection.execute(insert(table).values(row))


def _is_referenced(table: Table) -> bool:
    others = table.metadata.tables.values()
    return any(key.column.table is table for other in others for key in other.foreign_keys)


def _is(table: Table, row: dict[str, Any]) -> ColumnElement[bool]:
    return and_(*(column == row[column.name] for column in table.primary_key.columns))
