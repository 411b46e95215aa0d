"""What runs by itself: one process at a time does each duty, and any process can.

A duty that fails says so and is tried again at its next turn; one that cannot
be run because a store is away is no failure of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

import structlog

from consent import intakes, links, suppressions
from gateway import idempotency, limits, logs
from gateway.flows import expire, intake, recover
from gateway.metrics import Metrics
from gateway.parts import Parts
from storage.errors import StorageAway

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Duty:
    """*run* returns how much it did; while it does something it runs without a pause."""

    name: str
    every: timedelta
    run: Callable[[], Awaitable[int]]


def of(parts: Parts) -> list[Duty]:
    """Every duty of a gateway."""

    async def sequence() -> int:
        async with parts.data.begin() as connection:
            return await parts.log.sequence(connection) or 0

    async def publish() -> int:
        await parts.publisher.publish(parts.data, parts.guard, parts.clock)
        return 0

    def duty(name: str, seconds: float, run: Callable[[], Awaitable[int]]) -> Duty:
        return Duty(name, timedelta(seconds=seconds), run)

    return [
        duty("intake", 0.25, lambda: intake.work_off(parts)),
        duty("sequencer", 0.2, sequence),
        duty("publisher", 0.5, publish),
        duty("expiry", 5, lambda: expire.expire(parts)),
        duty("takeover", 5, lambda: recover.abandoned(parts)),
        duty("sweep", 600, lambda: sweep(parts)),
    ]


async def sweep(parts: Parts) -> int:
    """Forget what limits, blocks and protects nothing any more."""
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        await suppressions.purge(connection, now)
        await limits.purge(connection, now)
        await idempotency.purge(connection, now)
        await links.forget_confirmations(connection, now - parts.config.retention.unconfirmed)
    closed = await parts.keystore.closed_intake_keys(parts.clock.wall())
    async with parts.data.read() as connection:
        in_use = await intakes.keys_in_use(connection)
    await parts.keystore.destroy_intake_keys(set(closed) - in_use)
    return 0


async def keep(duties: Sequence[Duty], metrics: Metrics, stopping: asyncio.Event) -> None:
    """Run each duty in its rhythm until *stopping*; what is under way is finished."""
    async with asyncio.TaskGroup() as group:
        for one in duties:
            group.create_task(_keep_one(one, metrics, stopping), name=f"duty {one.name}")


async def _keep_one(duty: Duty, metrics: Metrics, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        did = await _run(duty, metrics)
        if not did:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), duty.every.total_seconds())


async def _run(duty: Duty, metrics: Metrics) -> int:
    begun, result, did = perf_counter(), "done", 0
    try:
        did = await duty.run()
    except StorageAway as error:
        result = "away"
        log.warning("duty.waits", duty=duty.name, store=error.store)
    except Exception as error:  # noqa: BLE001 one bad row must not stop all duties for good
        result = "failed"
        logs.failed("duty.failed", error, duty=duty.name)
    metrics.duties.labels(duty.name, result).observe(perf_counter() - begun)
    return did
