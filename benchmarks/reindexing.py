"""Rotation of the look-up key: everybody is found under the next one, while people sign up."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

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

PEOPLE = 100_000
_AT_ONCE = 1000
_EVERY = 0.02  # seconds between two that sign up
_ALONE = 20.0  # seconds of sign-ups with nothing beside them


def run() -> None:
    """This process on one core, PostgreSQL on the other."""
    pin({1})
    with durable_postgres() as server, tempfile.TemporaryDirectory() as folder:
        data, keys = server.create_database("data"), server.create_database("keys")
        settings = configuration(Path(folder), data, keys)
        pin({0})
        asyncio.run(_run(settings))


async def _run(settings: Config) -> None:
    async with open_gateway(settings) as parts:
        for start in range(0, PEOPLE, _AT_ONCE):
            await _admit(parts, range(start, start + _AT_ONCE))
        rotation = _rotation(parts)
        await rotation.begin("lookup")
        await rotation.go_on()  # it is active, and nobody is found by it yet
        await rotation.learn()
        alone = await _signing_up(parts, lambda: asyncio.sleep(_ALONE))
        begun, did = time.perf_counter(), 0

        async def everybody() -> None:
            nonlocal did
            while done := await rotation.go_on():
                did += done

        beside = await _signing_up(parts, everybody)
        seconds = time.perf_counter() - begun
    one = Figure("sign-ups' p99 alone", "ms", [1000 * _p99(alone)])
    other = Figure("sign-ups' p99 meanwhile", "ms", [1000 * _p99(beside)])
    tell(
        Figure("people found under the next key", "per s", [did / seconds]),
        Figure("1,000,000 people (must 600)", "s", [1e6 * seconds / did]),
        one,
        other,
        ratio("p99 meanwhile / alone (must 2)", other, one),
    )


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


async def _signing_up(parts: Parts, meanwhile: Callable[[], Awaitable[None]]) -> list[float]:
    """How long each waited for the answer, at a steady rate, with the duty that works them off."""
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

    async with asyncio.TaskGroup() as group:
        group.create_task(arrive(group))
        group.create_task(work_off())
        await meanwhile()
        ended.set()
    return waits


def _p99(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]
