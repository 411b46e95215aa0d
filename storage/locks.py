"""Duties that only one process may run at a time, and who must not run beside one."""

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
    query = text("SELECT pg_try_advisory_xact_lock(:key)")
    return bool((await connection.execute(query, {"key": _key(duty)})).scalar_one())


async def keep_out(connection: AsyncConnection, duty: str) -> None:
    """Wait until nobody runs *duty*; nobody does before this transaction ends.

    Take it before any other lock, as the duty does.
    """
    if connection.dialect.name != "sqlite":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _key(duty)})


def _key(duty: str) -> int:
    return int.from_bytes(hashlib.sha256(duty.encode()).digest()[:8], "big", signed=True)
