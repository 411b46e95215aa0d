"""The processes: `serve` (HTTP, duties, on SQLite delivery too) and `worker` (delivery, duties).

A crash of any part ends the process visibly; a signal drains it. A store that is
away ends nothing, also not at the start: the process waits for it.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import structlog
from aiohttp import web

from delivery.errors import RelayAway
from delivery.journal import Journal
from delivery.pool import Pool
from delivery.worker import Pace, Worker
from gateway.api import operations
from gateway.config import calendars
from gateway.config.config import Config, Server
from gateway.config.fields import Listen
from gateway.config.relays import relay_of
from gateway.errors import ConfigError
from gateway.flows.proving.checkpoint_mails import CheckpointMails
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending import recover
from gateway.flows.sending.letters import Letter
from gateway.http import hosts
from gateway.http.app_keys import HEALTH, LOOKOUT
from gateway.http.places import Place, require_free, taken, taken_if_wanted
from gateway.http.runner import Runner
from gateway.keyfiles import dkim_keys
from gateway.look import notices, uncatalogued
from gateway.parts import Parts
from gateway.process import counting, duties
from gateway.process.app import create_app, prepare
from gateway.process.counting import CountingDesk
from gateway.process.duties import Duty
from gateway.process.lifespan import open_parts, put_in_order
from gateway.process.nightly import Nightly, nightly
from gateway.process.only_one import only_one
from gateway.process.outside import Outside
from gateway.process.siblings import Sibling
from gateway.smtp.inbox import OpenInbox, open_inbox
from gateway.watch import held_up, logs, metrics
from gateway.watch.health import Health
from gateway.watch.held_up import Eyes, Here, Lookout
from gateway.watch.metrics import Metrics
from storage.clock import Clock
from storage.errors import StorageAway
from storage.ids import random_id

log = structlog.get_logger()

_DRAIN = 10.0  # for requests under way; a withdrawal waits no longer than `permit_ttl`
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 5.0  # between two tries to open the stores
_Wanted = tuple[Listen | None, str | None]  # an address, and what sets it


@dataclass
class Process:
    """One running process; set `stopping` to end it."""

    parts: Parts
    counted: Metrics
    stopping: asyncio.Event
    worker: Worker[Letter] | None = None
    pool: Pool | None = None
    url: str | None = None

    def worker_ready(self) -> bool:
        return self.worker is None or self.worker.ready

    def trouble(self) -> RelayAway | None:
        """How the last try to reach the relay ended, where this process delivers."""
        return None if self.pool is None else self.pool.trouble


@dataclass(frozen=True, slots=True)
class Places:
    """Where a process is to listen: taken before it opens anything (`gateway/http/places.py`)."""

    public: Place | None = None
    admin: Place | None = None


async def serve(config: Config, *, with_worker: bool, clock: Clock | None = None) -> None:
    """HTTP and duties until SIGTERM or SIGINT; with a worker, delivery too."""
    require_startable(config)
    stopping = stop_on_signals()
    with only_one(config.storage.url):
        await _serve(config, clock, stopping, with_worker=with_worker)


async def _serve(
    config: Config, clock: Clock | None, stopping: asyncio.Event, *, with_worker: bool
) -> None:
    async with (
        places_of(config) as places,
        receiving(config),
        opened(config, clock, stopping) as parts,
    ):
        if parts is None:
            return
        process = Process(parts, Metrics(), stopping)
        async with running(process, places, with_worker=with_worker):
            _freeze()
            logs.event("serving", listen=process.url, worker=_owner(process))
            await process.stopping.wait()


async def work(
    config: Config,
    *,
    listen: Listen | None = None,
    clock: Clock | None = None,
    sibling: Sibling | None = None,
) -> None:
    """Delivery and duties until SIGTERM, SIGINT or its keeper's end; metrics at *listen*."""
    require_startable(config)
    stopping = stop_on_signals()
    if sibling is not None:
        sibling.end_with_keeper(stopping)
    with only_one(config.storage.url):
        await _work(config, listen, clock, stopping, sibling)


async def _work(
    config: Config,
    listen: Listen | None,
    clock: Clock | None,
    stopping: asyncio.Event,
    sibling: Sibling | None,
) -> None:
    async with (
        taken_if_wanted(listen, "--listen") as admin,
        opened(config, clock, stopping) as parts,
    ):
        if parts is None:
            return
        process = Process(parts, Metrics(), stopping)
        async with running(process, Places(admin=admin), with_worker=True):
            _freeze()
            logs.event("working", worker=_owner(process))
            if sibling is not None:
                sibling.works()
            await process.stopping.wait()


@asynccontextmanager
async def places_of(config: Config, beside: Sequence[_Wanted] = ()) -> AsyncIterator[Places]:
    """Take what `serve` listens at, for the life of the block.

    Whatever of it, of the inbox and of what is *beside* it is taken already is named at once.
    """
    await require_free(addresses(config, beside))
    public, admin = _of_server(config.server)
    async with taken(*public) as at_public, taken_if_wanted(*admin) as at_admin:
        yield Places(at_public, at_admin)


def addresses(config: Config, beside: Sequence[_Wanted] = ()) -> list[_Wanted]:
    """What `serve`, the inbox and what is *beside* it listen at, each with what sets it."""
    inbox, ours = config.delivery.inbox, _of_server(config.server)
    local = [(inbox.smtp, "delivery.inbox.smtp"), (inbox.listen, "delivery.inbox.listen")]
    return [*ours, *(local if config.delivery.transport == "inbox" else ()), *beside]


def _of_server(server: Server) -> tuple[tuple[Listen, str], tuple[Listen | None, str]]:
    admin = 'server.admin_listen ("off" for none)'
    return (server.listen, "server.listen"), (server.admin_listen, admin)


def require_startable(config: Config) -> None:
    """Raise ConfigError before anything is touched.

    For a privacy notice that says what is not so, for holidays that nobody knows, and for
    a language that only half of a page would be in.
    """
    problems = [
        *uncatalogued.problems(config),
        *notices.problems(config),
        *calendars.problems(config.rights),
    ]
    if problems:
        raise ConfigError(problems)


@asynccontextmanager
async def opened(
    config: Config, clock: Clock | None, stopping: asyncio.Event
) -> AsyncIterator[Parts | None]:
    """Open everything and put it in order; None when the end came before a store did.

    Machines start in any order: a store that is not up yet is waited for, and
    until then nothing is served and nothing is sent.
    """
    wait = _FIRST_WAIT
    while not stopping.is_set():
        async with AsyncExitStack() as stack:
            try:
                parts = await stack.enter_async_context(open_parts(config, clock))
                await put_in_order(parts)
            except StorageAway as away:
                kind = type(away.__cause__).__name__
                log.warning("store_awaited", store=away.store, error=kind, why=away.why, wait=wait)
            else:
                yield parts
                return
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), wait)
        wait = min(2 * wait, _LONGEST_WAIT)
    yield None


def _freeze() -> None:
    """Take what the start has made out of the garbage collector's sight: it stays to the end.

    Walking all of it stops the process for a tenth of a second, again and again
    under load: answers wait, and permits run out.
    """
    gc.collect()
    gc.freeze()


def _owner(process: Process) -> str | None:
    return process.worker.owner if process.worker else None


@asynccontextmanager
async def running(process: Process, places: Places, *, with_worker: bool) -> AsyncIterator[Process]:
    """Run the parts of a process for the life of the block; the first to fail ends them all.

    At the end nothing more is claimed or accepted, what is under way is
    finished, and the duties end last. The error of a part that fails leaves the
    block as it is, not within a group.
    """
    try:
        async with _parts_running(process, places, with_worker=with_worker):
            yield process
    except ExceptionGroup as failed:
        first = _first(failed)
        logs.failed("process_failed", first)
        raise first from None


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """The error that made the others."""
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


@asynccontextmanager
async def _parts_running(
    process: Process, places: Places, *, with_worker: bool
) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        async with AsyncExitStack() as stack:
            ending = asyncio.Event()
            counted = process.counted
            parts = process.parts
            verifier = parts.publisher.verifier
            named = parts.config.webhooks
            measuring = counting.measuring(
                parts.data, parts.clock, verifier, parts.lookup, counted, named
            )
            backups = counting.measuring_backups(
                parts.key_database, parts.clock, parts.rows, counted
            )
            kept_in = (parts.data, parts.guard, parts.clock, parts.rows, parts.log)
            tonight = Nightly(parts.config, *kept_in)
            stack.callback(tonight.stop)
            nights = counting.measuring_nights(*kept_in, counted)
            tasks = [*duties.of(parts), measuring, backups, nights, nightly(tonight)]
            of_mails = (parts.data, parts.keystore, parts.clock, parts.log, parts.publisher)
            told = (parts.lookup, parts.consents, parts.config, Erasing(parts))
            mails = CheckpointMails(*of_mails, *told)
            others = Outside(*kept_in[:3], parts.log, verifier, parts.config.audit, mails)
            health = Health(parts.stores, process.worker_ready)
            lookout = _lookout(process, health)
            tasks += [*others.duties(counted), Duty("lookout", held_up.EVERY, lookout.look)]
            kept = group.create_task(duties.keep(tasks, counted, ending))
            stack.callback(ending.set)
            public = places.public
            if with_worker:
                await stack.enter_async_context(
                    _delivering(process, group, aside=public is not None)
                )
            if public is not None:
                await stack.enter_async_context(_listening(process, health, public))
            if places.admin is not None:
                await stack.enter_async_context(
                    _admin(process.counted, health, lookout, places.admin)
                )
            if process.worker is not None:
                stack.callback(process.worker.stop)  # not only once the last request is answered
            yield
        await kept


@asynccontextmanager
async def _delivering(
    process: Process, group: asyncio.TaskGroup, *, aside: bool
) -> AsyncIterator[None]:
    parts = process.parts
    delivery = parts.config.delivery
    await _replay(parts)
    async with Pool(relay_of(parts.config)) as pool:
        pace = Pace(delivery.permit_ttl, delivery.lease)
        desk = CountingDesk(parts, process.counted, aside=aside)

        def new_journal() -> Journal:
            return Journal.create(delivery.journal_dir, random_id("wrk"))

        process.pool = pool
        worker = process.worker = Worker(desk, pool, new_journal, pace)
        task = group.create_task(worker.run(), name="worker")
        try:
            yield
        finally:
            worker.stop()
            await asyncio.wait([task])  # its error is the group's to raise


async def _replay(parts: Parts) -> None:
    """Before anything is claimed; while a store is away it is left to the duty."""
    with suppress(StorageAway):
        await recover.from_journals(parts)


@asynccontextmanager
async def _listening(process: Process, health: Health, place: Place) -> AsyncIterator[None]:
    app = create_app(process.parts, process.counted, health)
    await asyncio.to_thread(prepare, app)
    runner = Runner(app, shutdown_timeout=_DRAIN)
    await runner.setup()
    try:
        await place.serve(runner)
        process.url = "http://{}:{}".format(*place.bound)
        yield
    finally:
        await runner.cleanup()


def _lookout(process: Process, health: Health) -> Lookout:
    parts = process.parts
    eyes = Eyes(parts.data, parts.keystore, parts.clock, parts.log.macs, parts.lookup)
    return Lookout(eyes, Here(health.failing, process.trouble, process.stopping), process.counted)


@asynccontextmanager
async def _admin(
    counted: Metrics, health: Health, lookout: Lookout, place: Place
) -> AsyncIterator[None]:
    """Health and metrics of this process on an address of their own.

    Nowhere else: a number that moves with what one person does tells a stranger who they are to us.
    """
    app = web.Application(middlewares=[hosts.only_own(place.listen.host)])
    app[HEALTH], app[LOOKOUT] = health, lookout
    for row in (operations.healthz, operations.readyz):
        app.router.add_get(row.path, row.handler)
    metrics.add_route(app, counted)
    runner = Runner(app)
    await runner.setup()
    try:
        await place.serve(runner)
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def receiving(config: Config) -> AsyncIterator[OpenInbox | None]:
    """The local inbox, where the configuration delivers to it."""
    if config.delivery.transport != "inbox":
        yield None
        return
    records = {record.name: record.value for record in dkim_keys.records(config)}
    async with open_inbox(config.delivery.inbox, records) as inbox:
        yield inbox


def stop_on_signals() -> asyncio.Event:
    """What SIGTERM and SIGINT set from now on, to end the process in order."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, stopping.set)
    return stopping
