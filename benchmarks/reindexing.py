"""Rotation of the look-up key: everybody is found under the next one, while people sign up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.figures import Figure, ratio, tell
from benchmarks.gateway import configuration, durable_postgres, open_gateway, pin
from consent import address, gates, personal
from consent.gates import Newcomer
from consent.sign_ups import Asked, SignUp
from consent.texts import text_hash
from gateway.config.config import Config
from gateway.flows.joining import intake, publish_texts, sign_up
from gateway.flows.joining.sign_up import Posted
from gateway.flows.keeping import endings
from gateway.flows.keeping.set_rotation import SetRotation
from gateway.keyfiles.followed import FollowedKeyring
from gateway.keyfiles.followed_sets import FollowedSets
from gateway.parts import Parts
from storage.ids import random_id
from tests.support.postgres import Postgres

PEOPLE = 30_000
ROUNDS = 3
_AT_ONCE = 1000
_EVERY = 0.02  # seconds between two that sign up
_ALONE = 8.0  # seconds of sign-ups with nothing beside them
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Phase:
    """How long each sign-up waited, in seconds, and what all of it took meanwhile."""

    waits: list[float]
    seconds: float
    process: float  # seconds of the processor
    server: float

    @property
    def p99(self) -> float:
        return sorted(self.waits)[int(len(self.waits) * 0.99)]

    def beside(self, alone: Phase) -> tuple[float, float]:
        """The processor's seconds, ours and the server's, without what sign-ups took."""
        longer = self.seconds / alone.seconds
        return self.process - longer * alone.process, self.server - longer * alone.server


@dataclass(frozen=True)
class Round:
    people: int
    alone: Phase
    meanwhile: Phase


def run() -> None:
    """This process on one core, PostgreSQL on the other; a database for each round."""
    pin({1})
    with durable_postgres() as server:
        rounds = [_round(server, number) for number in range(ROUNDS)]
    people = [one.people for one in rounds]
    beside = [one.meanwhile.beside(one.alone) for one in rounds]
    rates = [n / one.meanwhile.seconds for n, one in zip(people, rounds, strict=True)]
    ours = [1000 * process / n for n, (process, _) in zip(people, beside, strict=True)]
    theirs = [1000 * server / n for n, (_, server) in zip(people, beside, strict=True)]
    alone = Figure("sign-ups' p99 alone", "ms", [1000 * one.alone.p99 for one in rounds])
    other = Figure("sign-ups' p99 meanwhile", "ms", [1000 * one.meanwhile.p99 for one in rounds])
    tell(
        Figure("people found under the next key", "per s", rates),
        Figure("1,000,000 people (must 600)", "s", [1e6 / rate for rate in rates]),
        Figure("processor for 1,000 people, the process", "s", ours),
        Figure("processor for 1,000 people, the server", "s", theirs),
        alone,
        other,
        ratio("p99 meanwhile / alone (must 2)", other, alone),
    )


def _round(server: Postgres, number: int) -> Round:
    names = f"data{number}", f"keys{number}"
    data, keys = map(server.create_database, names)
    try:
        with tempfile.TemporaryDirectory() as folder:
            pin({0})
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_rotate(configuration(Path(folder), data, keys), server))
    finally:
        for name in names:
            server.drop_database(name)


async def _rotate(settings: Config, server: Postgres) -> Round:
    async with open_gateway(settings) as parts:
        for start in range(0, PEOPLE, _AT_ONCE):
            await _admit(parts, range(start, start + _AT_ONCE))
        rotation = _rotation(parts)
        await rotation.begin("lookup")
        await rotation.go_on()  # it is active, and nobody is found by it yet
        await rotation.learn()
        alone = await _signing_up(parts, server, lambda: asyncio.sleep(_ALONE))
        did = 0

        async def everybody() -> None:
            nonlocal did
            while done := await rotation.go_on():
                did += done

        return Round(did, alone, await _signing_up(parts, server, everybody))


async def _admit(parts: Parts, numbers: range) -> None:
    fresh = {random_id("sub"): f"person{number}@example.org" for number in numbers}
    await parts.keystore.create(fresh, parts.clock.wall())
    vault = await parts.keystore.vault(fresh)
    newcomers = [
        Newcomer(one, email, personal.seal_mailbox(one, email, vault), "en")
        for one, email in fresh.items()
    ]
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        await gates.admit(connection, parts.rows, parts.lookup, newcomers, now)
    parts.keystore._people.forget(fresh)


def _rotation(parts: Parts) -> SetRotation:
    ring = FollowedKeyring(parts.config.keys.keyring, parts.keyring)
    opened = (parts.data, parts.key_database, parts.guard, parts.clock)
    kinds = endings.of(*opened, parts.lookup, parts.keystore, parts.keyring.sets, parts.publisher)
    stores = (parts.key_database, parts.data, parts.clock, parts.log, parts.rows)
    return SetRotation(*stores, FollowedSets(ring), kinds)


async def _signing_up(
    parts: Parts, server: Postgres, meanwhile: Callable[[], Awaitable[None]]
) -> Phase:
    """People sign up at a steady rate, with the duty that works them off."""
    raw = publish_texts.bundles(parts.config)[0][0]
    said = json.loads(raw)
    asked = Asked(said["purpose"], text_hash(raw))
    form = next(iter(parts.config.forms))
    ended, waits = asyncio.Event(), list[float]()

    async def post(number: int) -> None:
        email = address.parse(f"new{time.time_ns()}-{number}@example.org")
        begun = time.perf_counter()
        posted = Posted(SignUp(form, email, said["locale"], (asked,)), None)
        await sign_up.accept_all(parts, [posted])
        waits.append(time.perf_counter() - begun)

    async def arrive(group: asyncio.TaskGroup) -> None:
        number = 0
        while not ended.is_set():
            number += 1
            group.create_task(post(number))
            await asyncio.sleep(_EVERY)

    async def work_off() -> None:
        while not ended.is_set():
            if not await intake.work_off(parts):
                await asyncio.sleep(0.25)

    begun, ours, theirs = time.perf_counter(), time.process_time(), _worked(server)
    async with asyncio.TaskGroup() as group:
        group.create_task(arrive(group))
        group.create_task(work_off())
        await meanwhile()
        seconds, process = time.perf_counter() - begun, time.process_time() - ours
        worked = _worked(server) - theirs
        ended.set()
    return Phase(waits, seconds, process, worked)


def _worked(server: Postgres) -> float:
    """Seconds of the processor so far, of its processes that ended, too."""
    assert server.process is not None
    parent = server.process.pid
    ticks = sum(_ticks(parent))
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split():
        with contextlib.suppress(FileNotFoundError):  # it ended meanwhile
            ticks += sum(_ticks(int(child))[:2])
    return ticks / _TICK


def _ticks(pid: int) -> list[int]:
    """In user and system mode, and of its children that it waited for (proc(5): stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return [int(one) for one in fields[11:15]]
