"""The processes: `serve` (HTTP, duties, on SQLite delivery too) and `worker` (delivery, duties).

A crash of any part ends the process visibly; a signal drains it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

from delivery.journal import Journal
from delivery.smtp import Pool, Relay
from delivery.worker import Pace, Worker
from gateway import dkim_keys, duties, logs, metrics
from gateway.app import create_app
from gateway.config import Config
from gateway.desk import Desk
from gateway.flows import recover
from gateway.health import Health
from gateway.inbox import OpenInbox, open_inbox
from gateway.lifespan import open_parts, put_in_order
from gateway.metrics import Metrics
from gateway.parts import Parts
from gateway.runner import Runner
from storage.clock import Clock
from storage.errors import StorageAway
from storage.ids import random_id

_DRAIN = 30.0


@dataclass
class Process:
    """One running process; set `stopping` to end it."""

    parts: Parts
    counted: Metrics
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    worker: Worker | None = None
    url: str | None = None
    inbox: OpenInbox | None = None


async def serve(config: Config, *, with_worker: bool, clock: Clock | None = None) -> None:
    """HTTP and duties until SIGTERM or SIGINT; with a worker, delivery too."""
    async with open_parts(config, clock) as parts:
        await put_in_order(parts)
        process = Process(parts, Metrics())
        stop_on_signals(process)
        async with AsyncExitStack() as stack:
            inbox = await stack.enter_async_context(receiving(config))
            process.inbox = inbox
            async with running(process, with_worker=with_worker, with_http=True):
                logs.event("serving", listen=process.url, worker=_owner(process))
                await process.stopping.wait()


async def work(config: Config, clock: Clock | None = None) -> None:
    """Delivery and duties until SIGTERM or SIGINT."""
    async with open_parts(config, clock) as parts:
        await put_in_order(parts)
        process = Process(parts, Metrics())
        stop_on_signals(process)
        async with running(process, with_worker=True, with_http=False):
            logs.event("working", worker=_owner(process))
            await process.stopping.wait()


def _owner(process: Process) -> str | None:
    return process.worker.owner if process.worker else None


@asynccontextmanager
async def running(
    process: Process, *, with_worker: bool, with_http: bool
) -> AsyncIterator[Process]:
    """Run the parts of a process for the life of the block; the first to fail ends them all.

    At the end HTTP stops first, then the worker drains, then the duties give
    what was written its place in the log.
    """
    async with asyncio.TaskGroup() as group:
        async with AsyncExitStack() as stack:
            ending = asyncio.Event()
            kept = group.create_task(duties.keep(duties.of(process.parts), process.counted, ending))
            stack.callback(ending.set)
            if with_worker:
                await stack.enter_async_context(_delivering(process, group))
            if with_http:
                await stack.enter_async_context(_listening(process))
            yield process
        await kept


@asynccontextmanager
async def _delivering(process: Process, group: asyncio.TaskGroup) -> AsyncIterator[None]:
    parts = process.parts
    delivery = parts.config.delivery
    await _replay(parts)
    async with Pool(relay_of(parts.config)) as pool:
        journal = Journal.create(delivery.journal_dir, random_id("wrk"))
        with journal:
            pace = Pace(delivery.permit_ttl, delivery.lease)
            worker = process.worker = Worker(Desk(parts), pool, journal, pace)
            task = group.create_task(worker.run(), name="worker")
            try:
                yield
            finally:
                worker.stop()
                with suppress(asyncio.CancelledError):
                    await asyncio.shield(task)


async def _replay(parts: Parts) -> None:
    """Before anything is claimed; while a store is away the journals wait for the next start."""
    with suppress(StorageAway):
        await recover.from_journals(parts)


@asynccontextmanager
async def _listening(process: Process) -> AsyncIterator[None]:
    config = process.parts.config
    worker = process.worker
    health = Health(process.parts, None if worker is None else lambda: worker.ready)
    app = create_app(process.parts, process.counted, health)
    runner = Runner(app, shutdown_timeout=_DRAIN)
    await runner.setup()
    try:
        listen = config.server.listen
        await web.TCPSite(runner, listen.host, listen.port, reuse_address=True).start()
        host, port = runner.addresses[0][:2]
        process.url = f"http://{host}:{port}"
        async with _admin(process):
            yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _admin(process: Process) -> AsyncIterator[None]:
    """The metrics on an address of their own, where the configuration names one."""
    listen = process.parts.config.server.admin_listen
    if listen is None:
        yield
        return
    app = web.Application()
    metrics.add_route(app, process.counted)
    runner = Runner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, listen.host, listen.port).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def receiving(config: Config) -> AsyncIterator[OpenInbox | None]:
    """The local inbox, where the configuration delivers to it."""
    if config.delivery.transport != "inbox":
        yield None
        return
    records = {one.name: one.value for one in dkim_keys.records(config)}
    async with open_inbox(config.delivery.inbox, records) as inbox:
        yield inbox


def relay_of(config: Config) -> Relay:
    """Where the worker connects to."""
    if config.delivery.transport == "inbox":
        smtp = config.delivery.inbox.smtp
        return Relay(host=smtp.host, port=smtp.port)
    relay = config.delivery.relay
    return Relay(
        host=relay.host,
        port=relay.port,
        tls=relay.tls,
        username=relay.username,
        password=relay.password,
        connections=relay.connections,
    )


def stop_on_signals(process: Process) -> None:
    """Let SIGTERM and SIGINT end the process in order."""
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, process.stopping.set)
