"""Connections to a relay, for tests that want them now."""

from __future__ import annotations

import asyncio

from delivery.pool import Pool
from delivery.transmission import Connection
from tests.support.waiting import PATIENCE


async def take(pool: Pool, wanted: int, seconds: float = PATIENCE) -> list[Connection]:
    """Exactly so many, once they are greeted; a `TimeoutError` when they are not in time."""
    taken: list[Connection] = []
    async with asyncio.timeout(seconds):
        while len(taken) < wanted:
            taken += pool.take(wanted - len(taken))
            await asyncio.sleep(0.005)
    return taken
