"""Three schemas: data, key store, guard. Each is migrated on its own, also inside one database.

A migration that only adds leaves processes of the release before at work; one
that takes something away says from which revision on the code does without it
(`oldest`). The database keeps that, since an older release cannot read the
migrations of a later one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from pathlib import Path
from types import MappingProxyType

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    String,
    Table,
    exists,
    inspect,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

import audit.tables
import consent.external_id_tables  # with the tables of `consent`
import consent.keys.tables
import consent.shown_tables
import consent.tables
import consent.telling_tables
import delivery.tables
import gateway.schema.tables
import storage.bad_rows
from gateway.config.config import Config
from gateway.errors import SchemaError
from storage.database import Database, open_database

_HERE = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Schema:
    """One set of tables and its migrations."""

    name: str
    tables: tuple[MetaData, ...]
    migrations: Path

    @property
    def version_table(self) -> str:
        return f"schema_{self.name}"


class Standing(Enum):
    """How the tables of a database stand to this release."""

    CURRENT = auto()
    EXPANDED = auto()  # a later release's, which only added: this one works on them
    EMPTY = auto()  # there are none
    BEHIND = auto()  # an earlier release's
    BEYOND = auto()  # a later release's, which took away what this one needs
    BETWEEN = auto()  # they say that they are this release's, and lack something of it


DATA = Schema(
    "data",
    (
        consent.tables.metadata,
        delivery.tables.metadata,
        audit.tables.metadata,
        gateway.schema.tables.metadata,
        storage.bad_rows.metadata,
        consent.telling_tables.metadata,
        consent.shown_tables.metadata,
    ),
    _HERE / "data",
)
KEYSTORE = Schema("keystore", (consent.keys.tables.metadata,), _HERE / "keystore")
GUARD = Schema(
    "guard", (audit.tables.guard_metadata, consent.tables.guard_metadata), _HERE / "guard"
)
SCHEMAS: Mapping[str, Schema] = MappingProxyType({s.name: s for s in (DATA, KEYSTORE, GUARD)})


async def upgrade(config: Config) -> dict[str, bool]:
    """Bring the three schemas to this release; says which ones changed.

    Safe to run at once from several machines, and again: each schema changes in
    one transaction or not at all.
    """
    changed = {}
    for schema, url in _places(config):
        # A migration may have much to rewrite.
        async with open_database(schema.name, url, patience=None) as database:
            changed[schema.name] = await upgrade_one(database, schema)
    return changed


async def upgrade_one(database: Database, schema: Schema) -> bool:
    """As `upgrade`, for one schema in an open database; SchemaError for a later release's."""
    async with database.begin() as connection:
        await _alone(connection, schema)
        before = await connection.run_sync(_revision, schema)
        if before == head(schema):
            if not await _whole(connection, schema):
                raise SchemaError([], [], between=[schema.name])
            return False
        if before is not None and before not in _chain(schema):
            raise SchemaError(behind=[], beyond=[schema.name])
        await connection.run_sync(_upgrade, schema)
        return True


async def revision(connection: AsyncConnection, schema: Schema) -> str | None:
    """Which revision the tables of *schema* are at; None: there are none."""
    return await connection.run_sync(_revision, schema)


async def make(connection: AsyncConnection, schema: Schema, at: str) -> None:
    """Make the tables of *schema* as revision *at* had them, for rows of that time.

    `SchemaError` for a revision of a later release.
    """
    if at not in _chain(schema):
        raise SchemaError(behind=[], beyond=[schema.name])
    await connection.run_sync(_upgrade, schema, at)


async def finish(connection: AsyncConnection, schema: Schema) -> None:
    """Bring tables that `make` made, and their rows, to this release."""
    await connection.run_sync(_upgrade, schema)


async def drop(connection: AsyncConnection, schema: Schema) -> None:
    """Take away the tables of *schema* with all rows; other tables beside them stay.

    `SchemaError` for those of a later release: this one does not know which they are.
    """
    found = await revision(connection, schema)
    if found is None:
        return
    if found not in _chain(schema):
        raise SchemaError(behind=[], beyond=[schema.name])
    # This release can name its own tables only.
    await connection.run_sync(_upgrade, schema)
    for metadata in reversed(schema.tables):
        await connection.run_sync(metadata.drop_all)
    await connection.run_sync(_version_table(schema).drop)


async def is_empty(database: Database, schema: Schema) -> bool:
    """Say whether *schema* was never made in *database*."""
    async with database.read() as connection:
        return await connection.run_sync(_revision, schema) is None


async def has_rows(
    connection: AsyncConnection, schema: Schema, *, besides: Collection[str] = ()
) -> bool:
    """Say whether there is a row in any table of *schema*; those of an earlier release are fewer.

    *besides* names tables that do not count. Tables alone are no gateway: `gateway db upgrade`
    makes them where all is lost.
    """
    found = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    there = set(found) - set(besides)
    tables = (table for metadata in schema.tables for table in metadata.tables.values())
    rows = [exists().select_from(table) for table in tables if table.name in there]
    return bool(rows) and bool(await connection.scalar(select(or_(*rows))))


async def is_void(database: Database, schema: Schema) -> bool:
    """Say whether nothing was ever kept there, or all of it is lost."""
    async with database.read() as connection:
        return not await has_rows(connection, schema)


async def standing(database: Database, schema: Schema) -> Standing:
    """Say whether this release can work on the tables of *schema* in *database*."""
    async with database.read() as connection:
        revision = await connection.run_sync(_revision, schema)
        if revision is None:
            return Standing.EMPTY
        if revision == head(schema):
            whole = await _whole(connection, schema)
            return Standing.CURRENT if whole else Standing.BETWEEN
        known = _chain(schema)
        if revision in known:
            return Standing.BEHIND
        kept = (await connection.execute(select(_version_table(schema).c.oldest))).scalar_one()
        return Standing.EXPANDED if kept in known else Standing.BEYOND


async def require_lived_in(databases: Mapping[str, Database]) -> None:
    """Raise SchemaError naming each of data and key store that is new, or lost.

    Whatever writes a row there makes it pass for one that stands: `gateway restore` would put no
    backup in its place, and let go of everybody.
    """
    # A guard alone has no backup that would be put back: its tables are made anew.
    stores = {name: one for name, one in databases.items() if name != GUARD.name}
    if void := [name for name, one in stores.items() if await is_void(one, SCHEMAS[name])]:
        raise SchemaError([], [], void=void)


async def require_usable(databases: Mapping[str, Database]) -> None:
    """Raise SchemaError naming every schema that this release cannot work on."""
    stands = {name: await standing(database, SCHEMAS[name]) for name, database in databases.items()}
    if between := [name for name, how in stands.items() if how is Standing.BETWEEN]:
        raise SchemaError([], [], between=between)
    await require_lived_in(databases)
    behind = [name for name, how in stands.items() if how in (Standing.BEHIND, Standing.EMPTY)]
    beyond = [name for name, how in stands.items() if how is Standing.BEYOND]
    if behind or beyond:
        raise SchemaError(behind, beyond)


@cache
def _columns(schema: Schema) -> frozenset[tuple[str, str]]:
    """What the code of this release reads and writes, as table and column."""
    tables = (table for metadata in schema.tables for table in metadata.tables.values())
    return frozenset((table.name, column.name) for table in tables for column in table.columns)


async def _whole(connection: AsyncConnection, schema: Schema) -> bool:
    """A version between two releases has the revision of the next, and may lack some of it."""
    if connection.dialect.name == "postgresql":
        query = (
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')"
            " AND pg_table_is_visible(c.oid)"
        )
    else:
        query = (
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c"
            " WHERE m.type = 'table'"
        )
    found = {(table, column) for table, column in await connection.execute(text(query))}
    return _columns(schema) <= found


@cache
def head(schema: Schema) -> str | None:
    """The newest migration that this release knows; None before the first is written."""
    return ScriptDirectory.from_config(alembic_config(schema)).get_current_head()


def oldest(schema: Schema) -> str:
    """The oldest revision whose code works on the tables of this release."""
    chain = _chain(schema)
    scripts = ScriptDirectory.from_config(alembic_config(schema)).walk_revisions()
    needed = [
        chain.index(script.module.oldest) for script in scripts if script.module.oldest is not None
    ]
    return chain[max(needed, default=0)]


def _chain(schema: Schema) -> list[str]:
    """Every revision that this release knows, first to last."""
    directory = ScriptDirectory.from_config(alembic_config(schema))
    return [script.revision for script in directory.walk_revisions()][::-1]


def _version_table(schema: Schema) -> Table:
    """Alembic's own table, and beside the revision what may still run on it."""
    return Table(
        schema.version_table,
        MetaData(),
        Column("version_num", String(32), primary_key=True),
        Column("oldest", String(32)),
    )


def alembic_config(schema: Schema, connection: Connection | None = None) -> AlembicConfig:
    """What Alembic must know; the environment script finds schema and connection in it."""
    settings = AlembicConfig()
    # Percent signs in a path would be read as interpolation.
    settings.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    versions = str(schema.migrations).replace("%", "%%")
    settings.set_main_option("version_locations", versions)
    settings.set_main_option("path_separator", "newline")
    settings.attributes.update(schema=schema, connection=connection)
    return settings


def _places(config: Config) -> list[tuple[Schema, str]]:
    return [
        (DATA, config.storage.url),
        (KEYSTORE, config.storage.keystore_url),
        (GUARD, config.guard_url),
    ]


async def _alone(connection: AsyncConnection, schema: Schema) -> None:
    """Wait until no other process migrates; SQLite's transaction excludes them already."""
    if connection.dialect.name == "postgresql":
        digest = hashlib.sha256(schema.version_table.encode()).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def _revision(connection: Connection, schema: Schema) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": schema.version_table})
    return context.get_current_revision()


def _upgrade(connection: Connection, schema: Schema, to: str = "head") -> None:
    version = _version_table(schema)
    version.create(connection, checkfirst=True)
    command.upgrade(alembic_config(schema, connection), to)
    connection.execute(update(version).values(oldest=oldest(schema)))
