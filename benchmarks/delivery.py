"""From claim to outcome: permitted, rendered, signed, handed over, settled, audited."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure, tell
from benchmarks.gateway import (
    agree,
    configuration,
    durable_postgres,
    open_gateway,
    pin,
    queue,
    sink,
)
from delivery import dkim, outbox
from delivery.dkim import SigningKey
from delivery.journal import Journal
from delivery.pool import Pool
from delivery.worker import Pace, Worker
from gateway.cli.talk import loop_factory
from gateway.config.config import Config
from gateway.config.relays import relay_of
from gateway.parts import Parts
from gateway.process.desk import Desk
from storage.ids import random_id

ROUNDS = 5
MESSAGES = 2000


def run() -> None:
    """Worker on one core; PostgreSQL and the sink on the other."""
    pin({1})
    with durable_postgres() as server, sink() as (port, _), tempfile.TemporaryDirectory() as folder:
        data, keys = server.create_database("data"), server.create_database("keys")
        settings = configuration(Path(folder), data, keys, port)
        pin({0})
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_run(settings))


async def _run(settings: Config) -> None:
    async with open_gateway(settings) as parts:
        people = await agree(parts, MESSAGES)
        await _warm_up(parts, people)
        delivered, limit, cpu = [], [], []
        for _ in range(ROUNDS):
            await queue(parts, people)
            limit.append(_rsa_limit())
            used = time.process_time()
            delivered.append(await _deliver(parts))
            cpu.append(1000 * (time.process_time() - used) / MESSAGES)
    ours = Figure("delivered, one worker on one core, PostgreSQL", "msg/s", delivered)
    rsa = Figure("RSA-2048 signatures, one core", "sig/s", limit)
    share = [100 * a / b for a, b in zip(delivered, limit, strict=True)]
    spent = Figure("CPU of the worker for one message", "ms", cpu)
    tell(ours, spent, rsa, Figure("delivery / RSA limit (must 40, aim 55)", "%", share))


async def _warm_up(parts: Parts, people: Sequence[str]) -> None:
    """As in a gateway that has run for a while: tables with statistics, what lives on frozen."""
    await queue(parts, people)
    await _deliver(parts)
    async with parts.data.begin() as connection:
        await connection.exec_driver_sql("ANALYZE")
    gc.collect()
    gc.freeze()


async def _deliver(parts: Parts) -> float:
    """Messages per second until the outbox is empty."""
    delivery = parts.config.delivery

    def journal() -> Journal:
        return Journal.create(delivery.journal_dir, random_id("wrk"))

    async with Pool(relay_of(parts.config)) as pool:
        worker = Worker(Desk(parts), pool, journal, Pace(delivery.permit_ttl, delivery.lease))
        begun = time.perf_counter()
        task = asyncio.create_task(worker.run())
        while await _left(parts):  # noqa: ASYNC110 it knows of no event
            await asyncio.sleep(0.1)
        seconds = time.perf_counter() - begun
        worker.stop()
        await task
    return MESSAGES / seconds


async def _left(parts: Parts) -> int:
    async with parts.data.read() as connection:
        return sum((await outbox.counts(connection)).values())


def _rsa_limit(seconds: float = 0.5) -> float:
    key = SigningKey.load(dkim.new_key())
    digest, count, until = bytes(32), 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        key.sign(digest)
        count += 1
    return count / seconds
