"""Campaigns on PostgreSQL: messages made for a crowd while people sign up, confirmations beside
them, and what a person and a message take of the disk."""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import func, select, text, update

from benchmarks import confirmations
from benchmarks.figures import Figure, ratio, tell
from benchmarks.gateway import agree, configuration, durable_postgres, open_gateway, pin, sink
from benchmarks.reindexing import Wait, p99, signing_up
from delivery import tables
from delivery.journal import Journal
from delivery.pool import Pool
from delivery.worker import Pace, Worker
from gateway.config.config import Config
from gateway.config.relays import relay_of
from gateway.flows.campaigning import launch
from gateway.flows.campaigning.expansion import Expansion
from gateway.flows.campaigning.launch import Order, Stores
from gateway.parts import Parts
from gateway.process.desk import Desk
from storage.database import Database
from storage.ids import random_id

PEOPLE = 1_000_000  # for whom messages are made
MAILED = 20_000  # to whom they are sent, too
CONFIRMATIONS = 5_000
SPREAD = 60.0  # seconds over which the second lot of them comes
_ALONE = 20.0  # seconds of sign-ups with nothing beside them
_FIRST = 5.0  # seconds that campaigns have before anybody confirms
_AT_ONCE = 500


def run() -> None:
    """This process on one core; PostgreSQL and the sink on the other."""
    for part in (_expand, _wait):
        pin({1})
        with (
            durable_postgres() as server,
            sink() as (port, _),
            tempfile.TemporaryDirectory() as folder,
        ):
            data, keys = server.create_database("data"), server.create_database("keys")
            settings = configuration(Path(folder), data, keys, port)
            pin({0})
            asyncio.run(part(settings))


async def _expand(settings: Config) -> None:
    """Messages for everybody, while people sign up in the same process."""
    async with open_gateway(settings) as parts:
        filling = time.perf_counter()
        await agree(parts, PEOPLE)
        await _analyze(parts)
        sys.stdout.write(f"{PEOPLE:,} people made in {time.perf_counter() - filling:,.0f} s\n")
        sys.stdout.flush()
        expansion, steps = Expansion(_stores(parts)), list[float]()
        name = await _launch(parts, "June")

        async def everybody() -> None:
            while True:
                begun = time.perf_counter()
                did = await expansion.work_off()
                steps.append(time.perf_counter() - begun)
                if did <= 1:
                    return
                await _end(parts, name)

        alone, beside = list[Wait](), list[Wait]()
        await signing_up(parts, asyncio.sleep(_ALONE), lambda wait, _: alone.append(wait))
        before, begun = _memory(), time.perf_counter()
        await signing_up(parts, everybody(), lambda wait, _: beside.append(wait))
        seconds = time.perf_counter() - begun
    one = Figure("sign-ups' p99 alone", "ms", [p99(one.clock for one in alone)])
    other = Figure("sign-ups' p99 meanwhile", "ms", [p99(one.clock for one in beside)])
    tell(
        Figure("messages made, in steps of 1,000", "per s", [PEOPLE / sum(steps)]),
        Figure("the longest step, all its transactions (must 2)", "s", [max(steps)]),
        Figure("a step of the last tenth / of the first", "x", [_growth(steps)]),
        Figure(f"memory that {PEOPLE:,} took", "MB", [_memory() - before]),
        Figure("all of it, what ended them included", "s", [seconds]),
        one,
        other,
        ratio("p99 meanwhile / alone (must 2)", other, one),
    )


def _growth(steps: Sequence[float]) -> float:
    tenth = max(len(steps) // 10, 1)
    return statistics.median(steps[-tenth:]) / statistics.median(steps[:tenth])


def _memory() -> float:
    """The most that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _end(parts: Parts, name: str) -> None:
    """As if everything that waits were sent."""
    row = tables.outbox.c
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        these = update(tables.outbox).where(row.campaign == name, row.ended_at.is_(None))
        await connection.execute(these.values(status="sent", ended_at=now))


async def _wait(settings: Config) -> None:
    """Sizes of people; two campaigns with confirmations beside them; sizes of messages."""
    async with open_gateway(settings) as parts:
        empty = await _sizes(parts)
        await agree(parts, MAILED)
        with_people = await _sizes(parts)
        _tell_sizes("person with a consent", empty, with_people, MAILED)
        await confirmations.ask(parts, 2 * CONFIRMATIONS)
        before = await _sizes(parts)
        names = [await _launch(parts, subject) for subject in ("June", "July")]
        async with _delivering(parts):
            await asyncio.sleep(_FIRST)
            await confirmations.confirm(parts, CONFIRMATIONS, 0)
            await confirmations.ended(parts, CONFIRMATIONS)
            await confirmations.confirm(parts, CONFIRMATIONS, SPREAD)
            await confirmations.ended(parts, 2 * CONFIRMATIONS)
            shared = await _by_campaign(parts, names)
            for name in names:
                await _over(parts, name)
        waited = await confirmations.waits(parts)
        at_once, spread = waited[:CONFIRMATIONS], waited[CONFIRMATIONS:]
        after = await _sizes(parts)
        sent = 2 * MAILED + 2 * CONFIRMATIONS
        _tell_sizes("message that was sent", before, after, sent)
    each = [shared[name] for name in names]
    tell(
        Figure(
            f"p95 of {CONFIRMATIONS:,} confirmations in one moment",
            "s",
            [confirmations.p95(at_once)],
        ),
        Figure("their median", "s", [statistics.median(at_once)]),
        Figure(f"p95 of as many in {SPREAD:.0f} s (must 5)", "s", [confirmations.p95(spread)]),
        Figure("their median", "s", [statistics.median(spread)]),
        Figure("the lesser campaign / the greater, as the last was sent", "x", [_share(each)]),
    )


def _share(each: Sequence[int]) -> float:
    return min(each) / max(max(each), 1)


async def _over(parts: Parts, name: str) -> None:
    row = tables.campaign.c
    query = select(func.count()).where(row.id == name, row.ended_at.is_not(None))
    while not await _number(parts.data, query):  # noqa: ASYNC110 it knows of no event
        await asyncio.sleep(0.5)


async def _number(data: Database, query: object) -> int:
    async with data.read() as connection:
        return int((await connection.execute(query)).scalar_one())  # type: ignore[call-overload]


async def _by_campaign(parts: Parts, names: Sequence[str]) -> Counter[str]:
    row = tables.outbox.c
    query = select(row.campaign, func.count()).where(
        row.campaign.in_(names), row.ended_at.is_not(None)
    )
    async with parts.data.read() as connection:
        found = await connection.execute(query.group_by(row.campaign))
        return Counter({name: number for name, number in found})


@asynccontextmanager
async def _delivering(parts: Parts) -> AsyncIterator[None]:
    """A worker, and the duty that makes messages, for the life of the block."""
    delivery, stopping = parts.config.delivery, asyncio.Event()
    expansion = Expansion(_stores(parts))

    def journal() -> Journal:
        return Journal.create(delivery.journal_dir, random_id("wrk"))

    async def expand() -> None:
        while not stopping.is_set():
            if not await expansion.work_off():
                await asyncio.sleep(0.5)

    async with Pool(relay_of(parts.config)) as pool, asyncio.TaskGroup() as group:
        worker = Worker(Desk(parts), pool, journal, Pace(delivery.permit_ttl, delivery.lease))
        group.create_task(worker.run())
        group.create_task(expand())
        yield
        worker.stop()
        stopping.set()


async def _launch(parts: Parts, subject: str) -> str:
    said = {"subject": subject, "text": "Hello."}
    name = await launch.launch(_stores(parts), Order("newsletter", "acme", "acme.example", said))
    assert isinstance(name, str)
    return name


def _stores(parts: Parts) -> Stores:
    opened = (parts.data, parts.keystore, parts.clock, parts.log, parts.rows, parts.consents)
    return Stores(*opened)


async def _analyze(parts: Parts) -> None:
    async with parts.data.begin() as connection:
        await connection.execute(text("ANALYZE"))


_SIZES = """
SELECT c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r'
"""


async def _sizes(parts: Parts) -> dict[str, tuple[int, int]]:
    """Bytes of each table and of its indexes, in both databases."""
    found: dict[str, tuple[int, int]] = {}
    for where, database in (("", parts.data), ("keys: ", parts.key_database)):
        async with database.read() as connection:
            rows = await connection.execute(text(_SIZES))
            found |= {f"{where}{name}": (own, indexes) for name, own, indexes in rows}
    return found


def _tell_sizes(
    what: str,
    before: dict[str, tuple[int, int]],
    after: dict[str, tuple[int, int]],
    count: int,
) -> None:
    total = 0.0
    for name, (own, indexes) in sorted(after.items()):
        own_before, indexes_before = before.get(name, (0, 0))
        each = [(own - own_before) / count, (indexes - indexes_before) / count]
        if sum(each) >= 1:
            tell(Figure(f"{name}: table", "B", each[:1]), Figure(f"{name}: indexes", "B", each[1:]))
        total += sum(each)
    tell(Figure(f"all of it, for each {what}", "B", [total]))
