"""Rows that are worked off together, each for itself: what cannot be worked off is parked.

The one way of every duty (docs/adr/0011-one-bad-row-stops-nobody.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.errors import KeyringBehind
from gateway.watch import logs
from gateway.watch.stuck import Why
from storage import bad_rows
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.isolation import isolated

log = structlog.get_logger()

T = TypeVar("T")
R = TypeVar("R")


class Busy(Exception):
    """Another process works these off just now: nothing is known of them here."""


async def each_for_itself(
    data: Database,
    clock: Clock,
    table: str,
    rows: Mapping[str, T],
    work: Callable[[Sequence[T]], Awaitable[R]],
) -> list[R]:
    """Do *work* on the *rows* of *table*, by their ids, and park those on which it fails alone.

    Rows that wait for their next time are passed over. What *work* cannot work off
    without failing it parks itself (`put_aside`); all others count as worked off.
    """
    rows = {name: row for name, row in rows.items() if bad_rows.can_stand(name)}
    if not rows:
        return []
    async with data.read() as connection:
        now = await clock.now(connection)
        stood = await bad_rows.find(connection, table, list(rows), now)
    turn = [(name, row) for name, row in rows.items() if not stood.get(name, False)]
    stops = (StorageAway, KeyringBehind, Busy)
    try:
        done, failed = await isolated(
            lambda some: work([row for _, row in some]), turn, stops=stops
        )
    except Busy:
        return []
    for _, error in failed:
        logs.failed("row_failed", error, table=table)
    bad = {name for (name, _), _ in failed}
    tried = {name for name, waits in stood.items() if not waits}
    await _keep(data, clock, table, bad, tried - bad)
    return done


async def _keep(data: Database, clock: Clock, table: str, bad: set[str], tried: set[str]) -> None:
    """Write down which rows failed, and which of those tried again did not."""
    if not bad and not tried:
        return
    async with data.begin() as connection:
        now = await clock.now(connection)
        # What was put aside again meanwhile stays there.
        stood = await bad_rows.find(connection, table, tried, now)
        worked_off = [name for name, waits in stood.items() if not waits]
        await bad_rows.release(connection, table, worked_off)
        await bad_rows.park(connection, table, dict.fromkeys(bad, Why.FAILED), now)


async def put_aside(
    connection: AsyncConnection, table: str, rows: Mapping[str, Why], now: datetime
) -> None:
    """Park rows that *work* of `each_for_itself` found it cannot work off now."""
    await bad_rows.park(connection, table, rows, now)
    for why, number in sorted(Counter(rows.values()).items()):
        log.error("rows_parked", table=table, why=why, rows=number)
