"""Fresh links on both databases: to whom, and how often."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from consent import address
from gateway.flows.rights import fresh_link
from gateway.parts import Parts
from tests.support.apps import ADA, App, open_app
from tests.support.clock import SteppedClock
from tests.support.fresh_links import ask, sent_links


@pytest.fixture
async def app(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str], clock: SteppedClock
) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, clock=clock) as opened:
        yield opened


@pytest.fixture
def parts(app: App) -> Parts:
    return app.parts


async def test_a_link_goes_to_known_addresses_only(app: App, parts: Parts) -> None:
    await app.sign_up(ADA)
    await app.tick()

    assert await ask(parts, "bob@example.org") == 0
    assert await ask(parts, "ADA@Example.org") == 1


async def test_one_link_a_day_to_who_confirmed(app: App, parts: Parts, clock: SteppedClock) -> None:
    await app.subscribe(ADA)

    counts = []
    for _ in range(4):
        counts.append(await ask(parts, ADA))
        clock.step(timedelta(hours=12))
    assert counts == [1, 1, 2, 2]


async def test_asking_twice_at_once_sends_one_link(app: App, parts: Parts) -> None:
    await app.sign_up(ADA)
    await app.tick()

    await fresh_link.accept(parts, address.parse(ADA), None)
    await fresh_link.accept(parts, address.parse(ADA), None)
    await fresh_link.work_off(parts)

    assert len(await sent_links(parts)) == 1


async def test_spellings_of_one_mailbox_share_its_limit(app: App, parts: Parts) -> None:
    spellings = [f"a.da+{n}@example.org" for n in range(2)]
    for one in spellings:
        await app.sign_up(one)
    await app.tick()

    assert [await ask(parts, one) for one in spellings] == [1, 1]
