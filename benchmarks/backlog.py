"""A worker with a million messages behind it: what a mail costs, what it holds, how steady it is.

Two gateways on one PostgreSQL, one with ten thousand messages that wait and one with a million;
the command delivers some of each in turn. With `--minutes N` it then goes on with the million
for so long, and each minute is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import receiving, workers
from benchmarks.figures import Figure, ratio, tell
from benchmarks.gateway import durable_postgres, pin, queue
from benchmarks.receiving import Counting
from benchmarks.sign_ups import used
from benchmarks.workers import WORKER_CORE, Gateway, Running, children
from gateway.config import config
from gateway.parts import Parts
from gateway.process.lifespan import open_parts
from tests.support.ports import free_port

FEW: Final = 10_000
MANY: Final = 1_000_000
ROUNDS: Final = 5
_MAILS: Final = 3_000  # of one round
_MINUTE: Final = 60.0
_PATIENCE: Final = 300.0  # seconds for what must be there within ten


@dataclass(frozen=True)
class Cost:
    """Of one mail, in milliseconds: by the clock, and of the processors of worker and server."""

    clock: float
    cpu: float
    memory: float  # MB
    first: float  # seconds from the start of the command to the first mail


def run(minutes: float = 0, few: int = FEW, many: int = MANY) -> None:
    """Worker on one core; PostgreSQL and the sink on the other."""
    os.environ["PATH"] += ":/usr/sbin"
    pin({1})
    port = free_port()
    with durable_postgres() as server, tempfile.TemporaryDirectory() as folder:
        assert server.process is not None
        stores = {
            name: workers.prepare(Path(folder) / name, server, name, port, few)
            for name in ("few", "many")
        }
        for name, count in (("few", few), ("many", many)):
            begun = time.perf_counter()
            asyncio.run(filled(stores[name], count))
            sys.stdout.write(f"{count:,} queued in {time.perf_counter() - begun:,.0f} s\n")
            sys.stdout.flush()
        with receiving.counting(port) as sink:
            _compare(stores, sink, server.process.pid, few)
            if minutes:
                _steady(stores["many"], sink, minutes)


async def filled(gateway: Gateway, count: int) -> None:
    """Queue so many, for everybody in turn."""
    settings = config.load(gateway.config)
    async with open_parts(settings) as parts:
        people = await _people(parts)
        for start in range(0, count, len(people)):
            await queue(parts, people[: count - start])
    await gateway.vacuum()


async def _people(parts: Parts) -> list[str]:
    async with parts.data.read() as connection:
        found = await connection.exec_driver_sql("SELECT id FROM subject ORDER BY id")
        return list(found.scalars())


def _compare(stores: dict[str, Gateway], sink: Counting, server: int, few: int) -> None:
    costs: dict[str, list[Cost]] = {name: [] for name in stores}
    for turn in range(-1, ROUNDS):  # the first is not counted
        for name, gateway in stores.items():
            cost = _cost(gateway, sink, server)
            costs[name] += [cost] if turn >= 0 else []
        asyncio.run(filled(stores["few"], few - stores["few"].statuses().get("queued", 0)))
    clock = [_figure("by the clock", name, [one.clock for one in costs[name]]) for name in stores]
    cpu = [_figure("worker and server", name, [one.cpu for one in costs[name]]) for name in stores]
    memory = [cost.memory for cost in costs["many"]]
    first = [cost.first for cost in costs["many"]]
    tell(*clock, *cpu)
    (few_clock, many_clock), (few_cpu, many_cpu) = clock, cpu
    tell(ratio("many behind it / few, by the clock (must 1.2, aim 1.05)", many_clock, few_clock))
    tell(ratio("many behind it / few, worker and server", many_cpu, few_cpu))
    tell(Figure("the most that a worker held (must 300, aim 100)", "MB", memory))
    tell(Figure("from its start to the first mail, many behind it (must 10)", "s", first))


def _figure(what: str, name: str, rounds: Sequence[float]) -> Figure:
    return Figure(f"a mail, {what}, {name} behind it", "ms", rounds)


def _cost(gateway: Gateway, sink: Counting, server: int) -> Cost:
    """Deliver some, and end in order: what is past the final dot then counts for nobody."""

    def both() -> float:
        total = worker.cpu() + used(server, with_gone=True)
        for one in children(server):
            with contextlib.suppress(OSError):  # it ended just now; the server knows what it used
                total += used(one)
        return total

    begun, before = time.perf_counter(), sink.count()
    with Running(gateway.config, 1, WORKER_CORE) as worker:
        first = sink.reached(before + 1, _PATIENCE) - begun
        window = sink.watch(_MAILS, sample=both)
        memory = worker.memory()
    return Cost(1000 / window.rate, window.each, memory, first)


def _steady(gateway: Gateway, sink: Counting, minutes: float) -> None:
    """One worker, minute by minute, for as long as there is enough to do."""
    left, rates = gateway.statuses()["queued"], list[float]()
    begun = sink.count()
    with Running(gateway.config, 1, WORKER_CORE) as worker:
        sink.reached(begun + _MAILS, _PATIENCE)  # it has started, and is at its pace
        until = time.perf_counter() + minutes * _MINUTE
        while time.perf_counter() < until:
            rates.append(sink.rate(_MINUTE))
            sys.stderr.write(f"minute {len(rates)}: {rates[-1]:,.0f}/s\n")
            if sink.count() - begun + 2 * rates[-1] * _MINUTE > left:
                sys.stdout.write("no more messages wait\n")
                break
        memory = worker.memory()
    tell(
        Figure("delivered, minute by minute", "msg/s", rates),
        Figure("the last third of the minutes / the first", "x", [drift(rates)]),
        Figure("the most that the worker held", "MB", [memory]),
    )


def drift(rates: Sequence[float]) -> float:
    """How the median of the last third stands to that of the first."""
    third = max(len(rates) // 3, 1)
    return statistics.median(rates[-third:]) / statistics.median(rates[:third])
