"""A mailbox is being asked under another spelling while its reader says no (PostgreSQL)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.flows.joining.asking_limits import AskingLimits
from storage.locks import keep_out
from tests.attacks.test_asked_elsewhere import SAYING, SPELLED, Said, bobs
from tests.support.apps import App


@pytest.fixture
def dialect() -> str:
    """The other has one writer."""
    return "postgresql"


@asynccontextmanager
async def stopped_behind_its_look(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """A sign-up's duty that looked whether the mailbox may be asked; set the event to go on."""
    looked, on, read = asyncio.Event(), asyncio.Event(), AskingLimits.read

    async def slowly(*given: object) -> AskingLimits:
        limits = await read(*given)  # type: ignore[arg-type]
        looked.set()
        await on.wait()
        return limits

    monkeypatch.setattr(AskingLimits, "read", slowly)
    yield on
    monkeypatch.undo()
    on.set()


@pytest.mark.parametrize("say", SAYING)
async def test_it_is_not_mailed_after_the_answer(
    app: App, monkeypatch: pytest.MonkeyPatch, say: Said
) -> None:
    mail = await bobs(app)
    await app.sign_up(SPELLED)
    async with stopped_behind_its_look(monkeypatch) as on:
        working = asyncio.create_task(app.tick())
        await asyncio.sleep(0.5)
        saying = asyncio.create_task(say(app, mail))
        done, _ = await asyncio.wait([saying], timeout=1.5)
        on.set()
        await asyncio.gather(working, saying)

    assert [one.to for one in await app.send_due()] == [], "answered before" if done else ""


@pytest.mark.parametrize("say", SAYING)
async def test_who_says_it_again_and_again_keeps_nobody_from_signing_up(
    app: App, say: Said
) -> None:
    """They would hold what admits everybody, each time."""
    mail = await bobs(app)
    await say(app, mail)
    async with app.parts.data.begin() as connection:
        await keep_out(connection, "intake")

        await asyncio.wait_for(say(app, mail), 10)
