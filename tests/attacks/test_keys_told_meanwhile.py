"""Who leaves is marked by a key that came after a duty looked whose an address is (PostgreSQL)."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest

from consent.errors import KeyringBehind
from consent.lookup import LookUp
from consent.moving import TOLD_BEFORE
from tests.attacks.test_addresses_of_who_left import BOB, by_withdrawal, me
from tests.attacks.test_lagging_node import beside
from tests.http.test_people_rights import Visit
from tests.support.addresses import ask
from tests.support.apps import ADA, App

__all__ = ["me"]


@pytest.fixture
def dialect() -> str:
    """The other has one writer."""
    return "postgresql"


def left_behind_its_look(app: App, monkeypatch: pytest.MonkeyPatch, which: int) -> list[str]:
    """Bob leaves at a node with a newer key once the other looked so often whose he is."""
    find, looks, left = LookUp.find, 0, []

    async def found(self: LookUp, *given: Any) -> Any:
        nonlocal looks
        people = await find(self, *given)
        looks += self is app.parts.lookup and bool(given[1])
        if looks == which and not left:
            left.append(BOB)
            async with beside(app, kind="marks") as newer:
                await by_withdrawal(newer)
            app.step(timedelta(seconds=1))
        return people

    monkeypatch.setattr(LookUp, "find", found)
    return left


async def mailed_by_the_newer(app: App) -> list[str]:
    async with beside(app, kind="marks") as newer:
        mails = await newer.deliver()
        newer.step(TOLD_BEFORE)
        return [one.to for one in [*mails, *await newer.deliver()]]


async def test_another_address_that_was_left_meanwhile_is_not_asked(
    me: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    await me.app.subscribe(BOB)
    await ask(me, BOB)
    left = left_behind_its_look(me.app, monkeypatch, 1)

    with contextlib.suppress(KeyringBehind):
        await me.app.tick()

    assert left
    assert await mailed_by_the_newer(me.app) == [ADA]


async def test_nor_is_who_signed_up_and_left_meanwhile(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.subscribe(BOB)
    await by_withdrawal(app)
    app.step(timedelta(days=1))
    await app.sign_up(BOB)
    left = left_behind_its_look(app, monkeypatch, 2)

    with contextlib.suppress(KeyringBehind):
        await app.tick()

    assert left
    assert await mailed_by_the_newer(app) == []
