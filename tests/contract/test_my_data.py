"""Fresh links on both databases: to whom, how often, and what opens behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from consent import address
from consent.fresh_links import LINK_LIFE, SESSION_LIFE
from gateway.flows.rights import fresh_link
from gateway.flows.rights.session import close_session, open_session, session_of
from gateway.parts import Parts
from tests.support.apps import ADA, App, open_app
from tests.support.clock import SteppedClock
from tests.support.fresh_links import sent_links


@pytest.fixture
async def app(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str], clock: SteppedClock
) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, clock=clock) as opened:
        yield opened


@pytest.fixture
def parts(app: App) -> Parts:
    return app.parts


async def ask(parts: Parts, one: str) -> int:
    """Ask for a link and let the duty run; how many links there are now."""
    await fresh_link.accept(parts, address.parse(one), None)
    assert await fresh_link.work_off(parts) == 1
    return len(await sent_links(parts))


async def test_a_link_goes_to_known_addresses_only(app: App, parts: Parts) -> None:
    await app.sign_up(ADA)
    await app.tick()

    assert await ask(parts, "bob@example.org") == 0
    assert await ask(parts, "ADA@Example.org") == 1


async def test_one_link_in_ten_minutes_and_five_a_day(
    app: App, parts: Parts, clock: SteppedClock
) -> None:
    await app.sign_up(ADA)
    await app.tick()

    counts = []
    for _ in range(7):
        counts.append(await ask(parts, ADA))
        counts.append(await ask(parts, ADA))
        clock.step(timedelta(minutes=10))
    assert counts == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 5, 5]

    clock.step(timedelta(days=1))
    assert await ask(parts, ADA) == 6


async def test_asking_twice_at_once_sends_one_link(app: App, parts: Parts) -> None:
    await app.sign_up(ADA)
    await app.tick()

    await fresh_link.accept(parts, address.parse(ADA), None)
    await fresh_link.accept(parts, address.parse(ADA), None)
    await fresh_link.work_off(parts)

    assert len(await sent_links(parts)) == 1


async def test_spellings_of_one_mailbox_share_its_limit(app: App, parts: Parts) -> None:
    spellings = [f"a.da+{n}@example.org" for n in range(4)]
    for one in spellings:
        await app.sign_up(one)
    await app.tick()

    assert [await ask(parts, one) for one in spellings] == [1, 1, 1, 1]


async def test_a_link_opens_one_session_and_ends_after_a_quarter_of_an_hour(
    app: App, parts: Parts, clock: SteppedClock
) -> None:
    await app.sign_up(ADA)
    await app.tick()
    await ask(parts, ADA)
    clock.step(timedelta(minutes=10))
    await ask(parts, ADA)
    first, second = await sent_links(parts)

    opened = await open_session(parts, first)
    assert opened is not None
    assert await open_session(parts, first) is None
    assert not await fresh_link.look(parts.data, parts.clock, first)
    assert await fresh_link.look(parts.data, parts.clock, second)
    clock.step(LINK_LIFE)
    assert not await fresh_link.look(parts.data, parts.clock, second)
    assert await open_session(parts, second) is None

    assert await session_of(parts.data, parts.clock, opened) is not None
    clock.step(SESSION_LIFE - LINK_LIFE)
    assert await session_of(parts.data, parts.clock, opened) is None


async def test_a_session_that_was_closed_is_over(app: App, parts: Parts) -> None:
    await app.sign_up(ADA)
    await app.tick()
    await ask(parts, ADA)
    (link,) = await sent_links(parts)
    opened = await open_session(parts, link)
    assert opened is not None

    await close_session(parts.data, opened)

    assert await session_of(parts.data, parts.clock, opened) is None
