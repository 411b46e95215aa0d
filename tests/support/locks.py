"""Making transactions wait for one another, in an order that a test chooses (PostgreSQL)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from consent import gates
from gateway.parts import Parts
from storage.database import Database
from tests.support.waiting import PATIENCE

_BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
"""


async def blocked(database: Database, count: int, seconds: float = PATIENCE) -> None:
    """Return once *count* sessions wait for locks that others hold."""
    async with asyncio.timeout(seconds):
        while await _blocked(database) < count:  # noqa: ASYNC110 the database tells nobody
            await asyncio.sleep(0.01)


async def _blocked(database: Database) -> int:
    async with database.read() as connection:
        number: int = (await connection.execute(text(_BLOCKED))).scalar_one()
        return number


@asynccontextmanager
async def gate_held(parts: Parts, subject: str) -> AsyncIterator[None]:
    """Hold a gate for the length of the block: who wants it lines up, and gets it in that order."""
    async with parts.data.begin() as connection:
        assert await gates.lock(connection, [subject])
        yield
