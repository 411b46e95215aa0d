"""Three schemas: data, key store, guard. Each is migrated on its own, also inside one database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection

import audit.tables
import consent.keystore_tables
import consent.tables
import delivery.tables
import gateway.tables
from gateway.config import Config
from gateway.errors import SchemaError
from storage.database import Database, open_database

_HERE = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Schema:
    """One set of tables and its migrations."""

    name: str
    tables: tuple[MetaData, ...]

    @property
    def version_table(self) -> str:
        return f"schema_{self.name}"


DATA = Schema(
    "data",
    (
        consent.tables.metadata,
        delivery.tables.metadata,
        audit.tables.metadata,
        gateway.tables.metadata,
    ),
)
KEYSTORE = Schema("keystore", (consent.keystore_tables.metadata,))
GUARD = Schema("guard", (audit.tables.guard_metadata,))
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
            return False
        if before is not None and before not in _known(schema):
            raise SchemaError([schema.name])
        await connection.run_sync(_upgrade, schema)
        return True


async def is_empty(database: Database, schema: Schema) -> bool:
    """Say whether *schema* was never made in *database*."""
    async with database.read() as connection:
        return await connection.run_sync(_revision, schema) is None


async def is_current(database: Database, schema: Schema) -> bool:
    """Say whether *database* has exactly this release's tables of *schema*."""
    async with database.read() as connection:
        return await connection.run_sync(_revision, schema) == head(schema)


async def require_current(databases: Mapping[str, Database]) -> None:
    """Raise SchemaError naming every schema that is not this release's."""
    behind = [n for n, database in databases.items() if not await is_current(database, SCHEMAS[n])]
    if behind:
        raise SchemaError(behind)


def head(schema: Schema) -> str | None:
    """The newest migration that this release knows."""
    return ScriptDirectory.from_config(alembic_config(schema)).get_current_head()


def _known(schema: Schema) -> set[str]:
    directory = ScriptDirectory.from_config(alembic_config(schema))
    return {script.revision for script in directory.walk_revisions()}


def alembic_config(schema: Schema, connection: Connection | None = None) -> AlembicConfig:
    """What Alembic must know; the environment script finds schema and connection in it."""
    settings = AlembicConfig()
    # Percent signs in a path would be read as interpolation.
    settings.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    versions = str(_HERE / schema.name).replace("%", "%%")
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


def _upgrade(connection: Connection, schema: Schema) -> None:
    command.upgrade(alembic_config(schema, connection), "head")
