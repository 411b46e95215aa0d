"""A worker is killed with 100,000 messages to 2,000 domains behind it, and begun again.

How long until its first mail and its full rate, what it holds, and how long confirmation mails
wait that are due meanwhile (scenario 10 of delivery).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import confirmations, receiving, workers
from benchmarks.backlog import filled
from benchmarks.figures import Figure, tell
from benchmarks.gateway import durable_postgres, pin
from benchmarks.receiving import Counting
from benchmarks.workers import WORKER_CORE, Gateway, Running
from gateway.config import config
from gateway.process.lifespan import open_parts
from tests.support.ports import free_port

MESSAGES: Final = 100_000
DOMAINS: Final = 2_000
PEOPLE: Final = 10_000
CONFIRMATIONS: Final = 1_000
KILLS: Final = 3
_BEFORE: Final = 500  # mails before each kill
_SPAN: Final = 60  # seconds in which it must be at its full rate
_WITHIN: Final = 10  # seconds over which a rate is taken
_PATIENCE: Final = 300.0


@dataclass(frozen=True)
class Restart:
    """Seconds to the first mail, a mail's rate for each ten seconds, and MB at the most."""

    first: float
    rates: list[float]
    memory: float


def run(messages: int = MESSAGES, people: int = PEOPLE) -> None:
    """Worker on one core; PostgreSQL and the sink on the other."""
    pin({1})
    port = free_port()
    with durable_postgres() as server, tempfile.TemporaryDirectory() as folder:
        gateway = workers.prepare(Path(folder) / "one", server, "one", port, people, DOMAINS)
        asyncio.run(_ask(gateway))
        begun = time.perf_counter()
        asyncio.run(filled(gateway, messages))
        sys.stdout.write(f"{messages:,} queued in {time.perf_counter() - begun:,.0f} s\n")
        sys.stdout.flush()
        with receiving.counting(port) as sink, ThreadPoolExecutor(1) as aside:
            for _ in range(KILLS):
                _kill(gateway, sink)
            waiting = aside.submit(asyncio.run, _confirm(gateway))
            seen = _restarted(gateway, sink, lambda: not waiting.done())
            _tell(seen, waiting.result())


async def _ask(gateway: Gateway) -> None:
    async with open_parts(config.load(gateway.config)) as parts:
        await confirmations.ask(parts, CONFIRMATIONS)


async def _confirm(gateway: Gateway) -> list[float]:
    """Let them be due one after another, for as long as the worker is looked at."""
    async with open_parts(config.load(gateway.config)) as parts:
        await confirmations.confirm(parts, CONFIRMATIONS, _SPAN)
        await confirmations.ended(parts, CONFIRMATIONS)
        return await confirmations.waits(parts)


def _kill(gateway: Gateway, sink: Counting) -> None:
    with Running(gateway.config, 1, WORKER_CORE) as worker:
        sink.reached(sink.count() + _BEFORE, _PATIENCE)
        worker.cut_off()


def _restarted(gateway: Gateway, sink: Counting, goes_on: Callable[[], bool]) -> Restart:
    begun, before, rates = time.perf_counter(), sink.count(), list[float]()
    with Running(gateway.config, 1, WORKER_CORE) as worker:
        first = sink.reached(before + 1, _PATIENCE) - begun
        while goes_on() or len(rates) < _SPAN // _WITHIN:
            rates.append(sink.rate(_WITHIN))
        return Restart(first, rates, worker.memory())


def _tell(seen: Restart, waits: list[float]) -> None:
    in_time = seen.rates[: _SPAN // _WITHIN]
    tell(
        Figure("from its start to the first mail (must 10)", "s", [seen.first]),
        Figure(f"delivered, each {_WITHIN} s of the first {_SPAN}", "msg/s", in_time),
        Figure("the first ten seconds / the fastest of them", "x", [in_time[0] / max(in_time)]),
        Figure("the most that the worker held (must 300)", "MB", [seen.memory]),
        Figure("p95 of confirmations meanwhile (must 5)", "s", [confirmations.p95(waits)]),
        Figure("their median", "s", [sorted(waits)[len(waits) // 2]]),
    )
