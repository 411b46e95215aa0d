"""Whether anybody else works on a database: for what needs every process stopped."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import open_database, sqlite_files

_BUSY = "SQLITE_BUSY"


async def others(url: str) -> int:
    """How many others have a connection to *url*; of SQLite's it only tells that there is one.

    Hold none of your own. On PostgreSQL it counts sessions of gateways, by the name that
    they give themselves; what stands behind a pooler goes by the name of the pooler's last
    client, so stop that too. Who comes a moment later is not seen.
    """
    if files := sqlite_files(url):
        return await asyncio.to_thread(_of_file, str(files[0])) if files[0].exists() else 0
    async with open_database("data", url, connections=1) as database, database.read() as connection:
        return await _sessions(connection)


def _of_file(path: str) -> int:
    # Whoever is connected to a file with a write-ahead log shares a lock on it all the while.
    with closing(sqlite3.connect(path, timeout=0.2, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if not str(error.sqlite_errorname).startswith(_BUSY):
                raise
            return 1
    return 0


async def _sessions(connection: AsyncConnection) -> int:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND application_name = 'consent-gateway'"
    )
    return int((await connection.execute(query)).scalar_one())
