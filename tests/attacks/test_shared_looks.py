"""What a public answer has the stores asked for is asked once, however many ask for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from gateway.watch import health
from gateway.watch.health import Health
from storage.database import Database
from tests.support.apps import App
from tests.support.statements import statements

ASKERS = 100


class Ticking:
    """A clock that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def watched(stores: Mapping[str, Database]) -> tuple[Health, Ticking]:
    clock = Ticking()
    return Health(stores, monotonic=clock), clock


async def test_a_crowd_that_asks_whether_we_are_ready_has_each_store_asked_once(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_SHARED", 3600.0)  # so long a crowd takes to be answered nowhere

    async def ask() -> int:
        async with app.http.get("/readyz") as answer:
            return answer.status

    with statements() as seen:
        asked = await asyncio.gather(*(ask() for _ in range(ASKERS)))

    assert set(asked) == {200}
    assert seen.count("SELECT 1") == len(app.parts.stores)


async def test_those_who_come_while_one_looks_get_what_it_finds(app: App) -> None:
    shared, _ = watched(app.parts.stores)

    with statements() as seen:
        said = await asyncio.gather(*(shared.failing() for _ in range(ASKERS)))

    assert said == [[]] * ASKERS
    assert seen.count("SELECT 1") == len(app.parts.stores)


async def test_what_was_found_a_second_ago_is_looked_for_again(app: App) -> None:
    shared, clock = watched(app.parts.stores)
    await shared.failing()

    with statements() as seen:
        clock.now = 0.9
        await shared.failing()
        assert not seen
        clock.now = 1.0
        await shared.failing()

    assert seen.count("SELECT 1") == len(app.parts.stores)


async def test_whoever_hangs_up_while_one_looks_leaves_the_others_an_answer(app: App) -> None:
    shared, _ = watched(app.parts.stores)
    first = asyncio.create_task(shared.failing())
    second = asyncio.create_task(shared.failing())
    await asyncio.sleep(0)

    first.cancel()

    assert await second == []


async def test_a_worker_that_stopped_shows_at_once(app: App) -> None:
    ready = [True, False]
    shared = Health(app.parts.stores, lambda: ready.pop(0), monotonic=Ticking())

    assert await shared.failing() == []
    assert await shared.failing() == ["worker"]
