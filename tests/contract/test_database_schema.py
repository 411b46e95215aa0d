from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, Table, inspect, text

from gateway.config import config
from gateway.config.config import Config
from gateway.errors import SchemaError
from gateway.schema import database_schema
from gateway.schema.database_schema import DATA, GUARD, KEYSTORE, SCHEMAS, Schema, Standing
from storage.database import Database, open_database

ALL = pytest.mark.parametrize("schema", [DATA, KEYSTORE, GUARD], ids=["data", "keystore", "guard"])


def differences(connection: Connection, schema: Schema) -> list[Any]:
    options = {"version_table": schema.version_table}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, _together(schema)))


def _together(schema: Schema) -> MetaData:
    whole = MetaData()
    for metadata in schema.tables:
        for table in metadata.sorted_tables:
            table.to_metadata(whole)
    return whole


def filters(connection: Connection) -> set[str]:
    """The indexes that cover a part of their table."""
    found = inspect(connection)
    return {
        str(index["name"])
        for table in found.get_table_names()
        for index in found.get_indexes(table)
        if any(key.endswith("_where") for key in index.get("dialect_options", {}))
    }


@ALL
async def test_migrations_lead_to_the_tables_of_this_release(
    database: Database, schema: Schema
) -> None:
    assert await database_schema.upgrade_one(database, schema)

    async with database.begin() as connection:
        assert await connection.run_sync(differences, schema) == []
    assert await database_schema.standing(database, schema) is Standing.CURRENT


@ALL
async def test_migrations_keep_the_conditions_of_indexes(
    database: Database, keystore: Database, schema: Schema
) -> None:
    await database_schema.upgrade_one(database, schema)
    async with keystore.begin() as connection:
        await connection.run_sync(_together(schema).create_all)
        wanted = await connection.run_sync(filters)

    async with database.begin() as connection:
        assert await connection.run_sync(filters) == wanted


async def test_numbers_of_staged_events_are_never_given_twice(database: Database) -> None:
    await database_schema.upgrade_one(database, DATA)

    async with database.begin() as connection:
        if database.dialect == "sqlite":
            query = "SELECT sql FROM sqlite_master WHERE name = 'audit_pending'"
            made: str = (await connection.execute(text(query))).scalar_one()
            assert "AUTOINCREMENT" in made
        else:
            query = "SELECT nextval('audit_pending_n_seq')"
            assert (await connection.execute(text(query))).scalar_one() == 1


async def test_an_upgraded_database_is_left_alone(database: Database) -> None:
    await database_schema.upgrade_one(database, GUARD)

    assert not await database_schema.upgrade_one(database, GUARD)


async def test_schemas_may_share_a_database(database: Database) -> None:
    await database_schema.upgrade_one(database, KEYSTORE)

    assert await database_schema.is_empty(database, GUARD)
    assert await database_schema.upgrade_one(database, GUARD)
    assert await database_schema.standing(database, KEYSTORE) is Standing.CURRENT


async def test_nodes_that_upgrade_at_once_do_not_disturb_each_other(
    dialect: str, new_database_url: Callable[[str], str]
) -> None:
    url = new_database_url(dialect)

    async def node() -> bool:
        async with open_database("data", url) as database:
            return await database_schema.upgrade_one(database, DATA)

    assert sorted(await asyncio.gather(node(), node(), node())) == [False, False, True]


async def test_a_database_with_nothing_in_it_is_named_as_new_or_lost(
    database: Database, keystore: Database
) -> None:
    """Told to upgrade it, one would make an empty gateway beside the guard of a lost one.

    Tables alone are no gateway: whatever is written into them would pass for what was lost.
    """
    await database_schema.upgrade_one(keystore, KEYSTORE)

    with pytest.raises(SchemaError) as caught:
        await database_schema.require_usable({"data": database, "keystore": keystore})

    assert "nothing in data, keystore: `gateway init`" in str(caught.value)
    assert "`gateway restore DIR`" in str(caught.value)


async def test_a_guard_without_tables_is_upgraded(database: Database) -> None:
    """No backup has it; `gateway restore` goes on from a new one."""
    with pytest.raises(SchemaError) as caught:
        await database_schema.require_usable({"guard": database})

    assert "guard; run `gateway db upgrade`" in str(caught.value)


@pytest.mark.parametrize(
    "less",
    ["DROP TABLE spent_stamp", "ALTER TABLE outbox DROP COLUMN reason"],
    ids=["a table", "a column"],
)
async def test_tables_of_a_version_between_two_releases_are_refused(
    database: Database, less: str
) -> None:
    """They have the revision of the release that was to come, and nothing would mend them."""
    await database_schema.upgrade_one(database, DATA)
    async with database.begin() as connection:
        await connection.execute(text(less))

    assert await database_schema.standing(database, DATA) is Standing.BETWEEN
    for refused in (
        database_schema.upgrade_one(database, DATA),
        database_schema.require_usable({"data": database}),
    ):
        with pytest.raises(SchemaError, match="a version between two releases"):
            await refused


async def test_all_three_are_upgraded_from_the_configuration(
    dialect: str, new_database_url: Callable[[str], str]
) -> None:
    default = config.parse(config.embedded_default(), base=Path("/srv"))
    urls = {"url": new_database_url(dialect), "keystore_url": new_database_url(dialect)}
    settings: Config = default.model_copy(
        update={"storage": config.Storage.model_construct(**urls)}
    )

    first = await database_schema.upgrade(settings)
    second = await database_schema.upgrade(settings)

    assert first == dict.fromkeys(SCHEMAS, True)
    assert second == dict.fromkeys(SCHEMAS, False)


@ALL
def test_every_migration_follows_one_other(schema: Schema) -> None:
    assert database_schema.head(schema) is not None


def test_what_names_another_row_is_found_by_an_index() -> None:
    """Else whoever deletes the other row has its table read whole, on either database."""
    unfound = [
        str(key.parent)
        for schema in SCHEMAS.values()
        for metadata in schema.tables
        for table in metadata.sorted_tables
        for key in table.foreign_keys
        if key.parent not in _first_of_an_index(table)
    ]
    assert unfound == []


def _first_of_an_index(table: Table) -> list[Any]:
    firsts = [next(iter(index.columns)) for index in table.indexes]
    return [*firsts, next(iter(table.primary_key.columns)), *(c for c in table.c if c.unique)]
