"""The audit log: staging, sequencing, publishing, verifying an export offline."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from audit.entry import Event, draft
from audit.export.jsonl import check_jsonl, jsonl
from audit.kinds import Actor, Kind
from benchmarks.figures import Figure, tell
from benchmarks.gateway import configuration, durable_postgres, open_gateway, pin
from gateway.config.config import Config
from gateway.parts import Parts

ROUNDS = 5
EVENTS = 20_000
_GROUP = 100


def run() -> None:
    """This process on one core, PostgreSQL on the other."""
    pin({1})
    with durable_postgres() as server, tempfile.TemporaryDirectory() as folder:
        data, keys = server.create_database("data"), server.create_database("keys")
        settings = configuration(Path(folder), data, keys)
        pin({0})
        asyncio.run(_run(settings))


async def _run(settings: Config) -> None:
    staged, sequenced, published, verified = [], [], [], []
    async with open_gateway(settings) as parts:
        for _ in range(ROUNDS):
            staged.append(EVENTS / await _stage(parts))
            sequenced.append(EVENTS / await _sequence(parts))
            published.append(EVENTS / await _publish(parts))
            size, seconds = await _verify(parts)
            verified.append(size / seconds)
    tell(
        Figure(f"audit events staged, {_GROUP} a transaction", "per s", staged),
        Figure("audit events sequenced", "per s", sequenced),
        Figure("entries authenticated and signed for", "per s", published),
        Figure("entries verified offline from an export", "per s", verified),
        Figure("1,000,000 entries offline (must 2.5, aim 1.2)", "s", [1e6 / v for v in verified]),
    )


async def _stage(parts: Parts) -> float:
    begun = time.perf_counter()
    for _ in range(EVENTS // _GROUP):
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            event = Event(Kind.KEY_ROTATED, Actor.SYSTEM, now)
            drafts = [draft(_again(event), None, parts.log.node) for _ in range(_GROUP)]
            await parts.log.stage(connection, drafts)
    return time.perf_counter() - begun


def _again(event: Event) -> Event:
    return Event(event.kind, event.actor, event.at)


async def _sequence(parts: Parts) -> float:
    begun, did = time.perf_counter(), 1
    while did:
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            did = await parts.log.sequence(connection, now=now) or 0
    return time.perf_counter() - begun


async def _publish(parts: Parts) -> float:
    begun = time.perf_counter()
    await parts.publisher.publish(parts.data, parts.guard, parts.clock)
    return time.perf_counter() - begun


async def _verify(parts: Parts) -> tuple[int, float]:
    raw = b"".join([part async for part in jsonl(parts.data, parts.log, parts.publisher.verifier)])
    lines = raw.splitlines(keepends=True)
    begun = time.perf_counter()
    report = check_jsonl(lines, parts.publisher.verifier)
    seconds = time.perf_counter() - begun
    assert report.ok
    return report.size, seconds
