"""Gateways that an earlier commit made and lived with, put back for today's code to serve."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from alembic import command
from sqlalchemy import Boolean, Connection, DateTime, MetaData, Table, delete, insert, text

from gateway.schema import database_schema
from gateway.schema.database_schema import DATA, GUARD, KEYSTORE, Schema
from storage.database import open_database
from tests.support import forking
from tests.support.databases import Databases
from tests.support.gateways import _HERE, Gateway, _start_relay, environment
from tests.support.ports import free_port

LIVES = sorted(path.parent for path in (_HERE / "tests/data").glob("*/known.json"))
_SCHEMAS = {"data": (DATA,), "keys": (KEYSTORE, GUARD)}


@dataclass
class Life:
    """A gateway as it was kept, and what those remember who were there."""

    gateway: Gateway
    known: Mapping[str, Any]
    kept: Path

    def put_keyring_back(self) -> None:
        """The keyring as it was before any upgrade."""
        kept = (self.kept / "keyring.json").read_bytes()
        (self.gateway.directory / "keyring.json").write_bytes(kept)

    def upgrade_killed_at(self, statement: int | str) -> int:
        """Upgrade and be killed at that statement (by number, or `before:WORDS`); the exit code."""
        command = [str(statement), "--config", str(self.gateway.config), "db", "upgrade"]
        done = forking.run(command, _HERE, environment(), module="tests.support.killed")
        return done.returncode

    async def start(self, after: timedelta) -> None:
        """Serve and deliver, with a clock that shows so long *after* it was kept."""
        gateway = self.gateway
        moment = datetime.fromisoformat(self.known["kept_at"]) + after
        arguments = [str(gateway.config), moment.isoformat()]
        with (gateway.directory / "serve.log").open("ab") as log:
            serve = forking.start(
                arguments, _HERE, environment(), log, log, module="tests.support.past"
            )
        gateway.processes["serve"] = serve
        await gateway.await_ready("serve")

    def link(self, name: str) -> str:
        return f"{self.gateway.base}{self.known['links'][name]}"


@asynccontextmanager
async def open_life(
    kept: Path, directory: Path, new_database_url: Databases, dialect: str
) -> AsyncIterator[Life]:
    """Restore what *kept* holds; nothing is upgraded and no process runs."""
    relay_log = directory / "relay.jsonl"
    relay_log.touch()
    config = _restore_files(kept, directory)
    for name in _SCHEMAS:
        file = directory / f"{name}.db"
        _restore_database(kept / f"{name}.sql.gz", file)
        if dialect == "postgresql":
            url = new_database_url(dialect)
            await _pour(file, url, _SCHEMAS[name])
            config = config.replace(f"sqlite:///{name}.db", url)
    port = free_port()
    relay, relay_port = _start_relay(relay_log, directory)
    path = directory / "config.toml"
    config = config.replace("RELAY_PORT", str(relay_port)).replace("PORT", str(port))
    config = config.replace("[delivery.relay]", '[delivery.relay]\nprocessor = "none"')
    path.write_text(config.replace("[server]", '[server]\nadmin_listen = "off"'))
    gateway = Gateway(directory, path, f"http://127.0.0.1:{port}", relay_log, relay_port)
    async with aiohttp.ClientSession() as gateway.http:
        try:
            yield Life(gateway, json.loads((kept / "known.json").read_text()), kept)
        finally:
            for process in [*gateway.processes.values(), relay]:
                process.kill()
                process.wait(60)


def _restore_files(kept: Path, directory: Path) -> str:
    """Put keys where they were, readable by us alone as they must be; the configuration."""
    shutil.copy(kept / "keyring.json", directory)
    shutil.copytree(kept / "dkim", directory / "dkim")
    for file in [directory / "keyring.json", *(directory / "dkim").rglob("*.pem")]:
        file.chmod(0o600)
    return (kept / "config.toml").read_text()


def _restore_database(dump: Path, file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.executescript(gzip.decompress(dump.read_bytes()).decode())


async def _pour(file: Path, url: str, schemas: Iterable[Schema]) -> None:
    """The same tables of the same revision in another database, and every row in them."""
    async with open_database("kept", url) as database, database.begin() as connection:
        with closing(sqlite3.connect(file)) as kept:
            kept.row_factory = sqlite3.Row
            for schema in schemas:
                await connection.run_sync(_make_tables, schema, kept)
            await connection.run_sync(_copy_rows, kept)


def _make_tables(connection: Connection, schema: Schema, kept: sqlite3.Connection) -> None:
    row = kept.execute(f"SELECT version_num FROM {schema.version_table}").fetchone()  # noqa: S608
    database_schema._version_table(schema).create(connection)
    command.upgrade(database_schema.alembic_config(schema, connection), row["version_num"])


def _copy_rows(connection: Connection, kept: sqlite3.Connection) -> None:
    metadata = MetaData()
    metadata.reflect(connection)
    for table in metadata.sorted_tables:
        rows = kept.execute(f"SELECT * FROM {table.name}").fetchall()  # noqa: S608 our own names
        connection.execute(delete(table))  # what migrating wrote: the revision
        if rows:
            connection.execute(insert(table), [_typed(table, row) for row in rows])
    for name, last in _sequences(kept):
        drawn = text("SELECT setval(pg_get_serial_sequence(:name, 'n'), :last)")
        connection.execute(drawn, {"name": name, "last": last})


def _sequences(kept: sqlite3.Connection) -> list[tuple[str, int]]:
    """Tables that draw numbers, and the last number of each."""
    query = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"
    if not kept.execute(query).fetchone():
        return []
    return [tuple(row) for row in kept.execute("SELECT name, seq FROM sqlite_sequence")]


def _typed(table: Table, row: sqlite3.Row) -> dict[str, Any]:
    """SQLite has neither truth values nor moments."""
    typed = dict(row)
    for column in table.columns:
        value = typed[column.name]
        if value is not None and isinstance(column.type, DateTime):
            typed[column.name] = datetime.fromisoformat(value)
        elif value is not None and isinstance(column.type, Boolean):
            typed[column.name] = bool(value)
    return typed
