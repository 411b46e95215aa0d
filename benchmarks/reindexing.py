"""Rotation of the look-up key: everybody is found under the next one, while people sign up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
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
_COLD = 50  # sign-ups not counted: connections and statements are new to them
_ALONE = 1.0  # seconds of sign-ups with nothing beside them, after each turn of a duty
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Part:
    """Some of the people, and what it took to let them be found, in seconds."""

    people: int
    clock: float
    process: float  # of the processor
    server: float


@dataclass(frozen=True)
class Wait:
    """How long somebody waited, and how long of that this process worked, for whomever."""

    clock: float
    process: float


@dataclass(frozen=True)
class Round:
    """Half of the people with nothing beside, the others while people sign up."""

    quiet: Part
    beside: Part
    alone: Sequence[Wait]  # of each sign-up between the turns
    meanwhile: Sequence[Wait]


def run() -> None:
    """This process on one core, PostgreSQL on the other; a database for each round."""
    pin({1})
    with durable_postgres() as server:
        rounds = [_round(server, number) for number in range(ROUNDS)]
    quiet, beside = [one.quiet for one in rounds], [one.beside for one in rounds]
    tell(
        Figure("processor for 1,000, the process", "ms", [_each(o, o.process) for o in quiet]),
        Figure("processor for 1,000, the server", "ms", [_each(o, o.server) for o in quiet]),
        Figure("people a second, nothing beside", "", [o.people / o.clock for o in quiet]),
        Figure("people a second, beside sign-ups", "", [o.people / o.clock for o in beside]),
        Figure("1,000,000 beside sign-ups (must 600)", "s", [_each(o, o.clock) for o in beside]),
        *_waits("sign-ups' p99", lambda wait: wait.clock, rounds),
        *_waits("our processor while one waits, p99", lambda wait: wait.process, rounds),
    )


def _each(part: Part, seconds: float) -> float:
    """For each thousand people in milliseconds, which is for a million in seconds."""
    return 1e6 * seconds / part.people


def _waits(name: str, of: Callable[[Wait], float], rounds: Sequence[Round]) -> list[Figure]:
    alone = Figure(f"{name}, alone", "ms", [p99(map(of, one.alone)) for one in rounds])
    other = Figure(f"{name}, meanwhile", "ms", [p99(map(of, one.meanwhile)) for one in rounds])
    return [alone, other, ratio(f"{name}, meanwhile / alone (must 2)", other, alone)]


def p99(seconds: Iterable[float]) -> float:
    """In milliseconds."""
    waits = sorted(seconds)
    return 1000 * waits[int(len(waits) * 0.99)]


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
        gc.collect()
        gc.freeze()  # as a process of ours does once it runs, or it stands still for all of this
        rotation = _rotation(parts)
        await rotation.begin("lookup")
        await rotation.go_on()  # it is active, and nobody is found by it yet
        await rotation.learn()
        quiet = await _find(rotation, server, PEOPLE // 2)
        return Round(quiet, *await _beside(parts, rotation, server))


async def _find(rotation: SetRotation, server: Postgres, most: int) -> Part:
    """Let people be found by the next key, that many or all that are left."""
    begun, ours, theirs = time.perf_counter(), time.process_time(), _worked(server)
    did = 0
    while did < most and (done := await rotation.go_on()):
        did += done
    clock, process = time.perf_counter() - begun, time.process_time() - ours
    return Part(did, clock, process, _worked(server) - theirs)


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


async def _beside(
    parts: Parts, rotation: SetRotation, server: Postgres
) -> tuple[Part, Sequence[Wait], Sequence[Wait]]:
    """In turns, so that a machine that drifts does not matter."""
    found: list[Part] = []
    waits: dict[bool, list[Wait]] = {True: [], False: []}
    works = False

    async def find() -> None:
        nonlocal works
        while not found or found[-1].people:
            works = True
            found.append(await _find(rotation, server, 1))
            works = False
            await asyncio.sleep(_ALONE)

    await signing_up(
        parts, find(), lambda wait, begun_so: waits[begun_so].append(wait), lambda: works
    )
    return _sum(found), waits[False], waits[True]


def _sum(parts: Sequence[Part]) -> Part:
    people, *seconds = (sum(of) for of in zip(*map(astuple, parts), strict=True))
    return Part(people, *seconds)


async def signing_up(
    parts: Parts,
    meanwhile: Awaitable[None],
    note: Callable[[Wait, bool], None],
    works: Callable[[], bool] = lambda: True,
) -> None:
    """People sign up at a steady rate, with the duty that works them off; the first untold."""
    raw = publish_texts.bundles(parts.config)[0][0]
    said = json.loads(raw)
    asked = Asked(said["purpose"], text_hash(raw))
    form = next(iter(parts.config.forms))
    ended = asyncio.Event()

    async def post(number: int) -> None:
        email = address.parse(f"new{time.time_ns()}-{number}@example.org")
        begun, worked, begun_so = time.perf_counter(), time.process_time(), works()
        posted = Posted(SignUp(form, email, said["locale"], (asked,)), None)
        await sign_up.accept_all(parts, [posted])
        wait = Wait(time.perf_counter() - begun, time.process_time() - worked)
        if number > _COLD:
            note(wait, begun_so)

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

    async with asyncio.TaskGroup() as group:
        group.create_task(arrive(group))
        group.create_task(work_off())
        await meanwhile
        ended.set()


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
