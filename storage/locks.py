"""Duties that only one process may run at a time."""

from __future__ import annotations

import hashlib

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def try_alone(connection: AsyncConnection, duty: str) -> bool:
    """Say whether this transaction may run *duty*; the lock ends with the transaction.

    SQLite's writing transaction excludes every other already. On PostgreSQL the
    lock belongs to the transaction, not the session: PgBouncer may stand between.
    """
    if connection.dialect.name == "sqlite":
        return True
    key = int.from_bytes(hashlib.sha256(duty.encode()).digest()[:8], "big", signed=True)
    query = text("SELECT pg_try_advisory_xact_lock(:key)")
    return bool((await connection.execute(query, {"key": key})).scalar_one())
