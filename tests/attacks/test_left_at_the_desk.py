"""An operator asks for their link, and leaves their mailbox in that moment (PostgreSQL)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from consent import address
from consent.address import Address
from gateway.callers.operators import Role
from gateway.flows.rights import fresh_link
from tests.attacks.test_addresses_of_who_left import BOB, SECOND, by_objection
from tests.support.apps import App, staff_of


@pytest.fixture
def dialect() -> str:
    """The other has one writer."""
    return "postgresql"


async def test_no_link_that_was_asked_for_before_goes_after_the_answer(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They left behind the look at who left, and before their row was held."""
    await app.subscribe(BOB)
    await staff_of(app.parts).enter(address.parse(BOB), Role.DPO, None)
    assert (await app.http.post("/dpo/sign-in", data={"email": BOB})).status == 200
    looks, leaving = fresh_link.standing, list[asyncio.Task[None]]()

    async def and_then_they_leave(*given: object) -> Mapping[str, Address]:
        found = await looks(*given)  # type: ignore[arg-type]
        leaving.append(asyncio.create_task(by_objection(app)))
        await asyncio.wait(leaving, timeout=1)
        app.step(SECOND)
        return found

    monkeypatch.setattr(fresh_link, "standing", and_then_they_leave)
    await app.tick()
    await asyncio.gather(*leaving)

    assert [one.to for one in await app.send_due()] == []
