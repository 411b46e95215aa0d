"""People as big as a real one, made by PostgreSQL itself: a million in minutes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, LargeBinary, Select, Table, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys.tables import dek
from consent.tables import consent
from gateway.schema.database_schema import DATA
from tests.support.apps import App

_AT_ONCE = 20_000
_PLAIN = {"purpose", "compartment"}  # what a copy of somebody's rows keeps


async def multiply(app: App, subject: str, first: int, last: int) -> None:
    """Copies of somebody's rows under other ids: people as big as a real one."""
    # A statement that takes a minute counts as lost.
    for some in range(first, last + 1, _AT_ONCE):
        until = min(some + _AT_ONCE - 1, last)
        async with app.parts.data.begin() as connection:
            await connection.execute(text("SET LOCAL synchronous_commit = off"))
            for table in (table for meta in DATA.tables for table in meta.sorted_tables):
                await _copy(connection, table, subject, some, until)
        async with app.parts.key_database.begin() as connection:
            await _copy(connection, dek, subject, some, until)
    for database in (app.parts.data, app.parts.key_database):
        async with database.begin() as connection:
            await connection.execute(text("ANALYZE"))


async def _copy(
    connection: AsyncConnection, table: Table, subject: str, first: int, last: int
) -> None:
    theirs = _theirs(table, subject)
    if theirs is None:
        return
    names = ", ".join(column.name for column in table.c)
    values = ", ".join(_copied(column) for column in table.c)
    for place in (await connection.execute(theirs)).scalars().all():
        source = f"{table.name}, generate_series({first}, {last}) AS n"
        copied = f"SELECT {values} FROM {source} WHERE {table.name}.ctid = '{place}'"  # noqa: S608
        await connection.execute(text(f"INSERT INTO {table.name} ({names}) {copied}"))


def _theirs(table: Table, subject: str) -> Select[Any] | None:
    """Where their rows are in *table*; None: none are theirs."""
    places = select(text(f"{table.name}.ctid::text")).select_from(table)
    if table.name == "subject":
        return places.where(table.c.id == subject)
    if table.name == "confirmation_consent":
        mine = select(consent.c.id).where(consent.c.subject == subject)
        return places.where(table.c.consent.in_(mine))
    return places.where(table.c.subject == subject) if "subject" in table.c else None


def _copied(column: Column[Any]) -> str:
    name = f"{column.table.name}.{column.name}"
    hashes = isinstance(column.type, LargeBinary)
    # Of two people none is alike: a table that has one value a million times is read whole.
    searched = hashes and any(column.name in one.columns for one in column.table.indexes)
    named = column.primary_key or column.unique or column.foreign_keys or searched
    if not (named or column.name in ("subject", "message")) or column.name in _PLAIN:
        return name
    if hashes:
        digest = f"sha256({name} || convert_to(n::text, 'UTF8'))"
        return f"substring({digest} FROM 1 FOR length({name}))"
    return f"{name} || '_' || n" if column.type.python_type is str else name
