"""What a fresh link opens, on both databases, and when that is over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from consent.fresh_links import LINK_LIFE, SESSION_LIFE
from gateway.flows.rights import fresh_link
from gateway.flows.rights.session import close_session, open_session, session_of
from gateway.parts import Parts
from storage.errors import StorageAway
from tests.support.apps import ADA, App, open_app
from tests.support.clock import SteppedClock
from tests.support.fresh_links import ask, sent_links
from tests.support.gaps import gap


@pytest.fixture
async def app(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str], clock: SteppedClock
) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, clock=clock) as opened:
        yield opened


@pytest.fixture
def parts(app: App) -> Parts:
    return app.parts


async def sent_link(app: App, parts: Parts) -> str:
    """Somebody new asks for the link to their own pages."""
    await app.sign_up(ADA)
    await app.tick()
    await ask(parts, ADA)
    (link,) = await sent_links(parts)
    return link


async def test_a_link_opens_one_session_which_ends_after_half_an_hour(
    app: App, parts: Parts, clock: SteppedClock
) -> None:
    await app.sign_up(ADA)
    await app.tick()
    await ask(parts, ADA)
    clock.step(timedelta(days=1))
    await ask(parts, ADA)
    _, link = await sent_links(parts)

    assert await fresh_link.look(parts.data, parts.clock, parts.rows, link)
    opened = await open_session(parts, link)
    assert opened is not None
    assert await open_session(parts, link) is None
    assert not await fresh_link.look(parts.data, parts.clock, parts.rows, link)

    clock.step(SESSION_LIFE - timedelta(seconds=1))
    assert (
        await session_of(parts.data, parts.keystore.sessions, parts.clock, parts.rows, opened)
        is not None
    )
    clock.step(timedelta(seconds=1))
    assert (
        await session_of(parts.data, parts.keystore.sessions, parts.clock, parts.rows, opened)
        is None
    )


async def test_a_link_that_nobody_opened_ends_after_a_quarter_of_an_hour(
    app: App, parts: Parts, clock: SteppedClock
) -> None:
    link = await sent_link(app, parts)

    clock.step(LINK_LIFE)

    assert not await fresh_link.look(parts.data, parts.clock, parts.rows, link)
    assert await open_session(parts, link) is None


async def test_a_session_that_was_closed_is_over(app: App, parts: Parts) -> None:
    link = await sent_link(app, parts)
    opened = await open_session(parts, link)
    assert opened is not None

    await close_session(parts.data, parts.keystore.sessions, parts.rows, opened)

    assert (
        await session_of(parts.data, parts.keystore.sessions, parts.clock, parts.rows, opened)
        is None
    )


@pytest.mark.parametrize("happened", [False, True], ids=["not done", "done"])
async def test_a_session_that_the_key_store_may_not_know_of_opens_nothing(
    app: App, parts: Parts, happened: bool
) -> None:
    link = await sent_link(app, parts)

    with gap(parts.key_database, 1, happened=happened), pytest.raises(StorageAway):
        await open_session(parts, link)

    # Nobody was given its id; the link is spent, as when the answer is lost on its way.
    assert await open_session(parts, link) is None


@pytest.mark.parametrize("happened", [False, True], ids=["not done", "done"])
async def test_a_session_is_ended_though_the_key_store_was_away(
    app: App, parts: Parts, happened: bool
) -> None:
    link = await sent_link(app, parts)
    sessions = parts.keystore.sessions
    opened = await open_session(parts, link)
    assert opened is not None

    with gap(parts.key_database, 1, happened=happened), pytest.raises(StorageAway):
        await close_session(parts.data, sessions, parts.rows, opened)

    assert await session_of(parts.data, sessions, parts.clock, parts.rows, opened) is None
    await close_session(parts.data, sessions, parts.rows, opened)  # repeating is safe
