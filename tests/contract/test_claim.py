"""What a worker holds without carrying it goes back; the attempt that it carries does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from delivery import outbox
from delivery.desk import Ended, Parcel
from delivery.outcome import Ending, Phase
from gateway.process.desk import Desk
from tests.support.apps import App

OWNER = "wrk_one"
OTHERS = {(f"msg_{n}", n) for n in range(400)}
MESSAGE = {
    "to": {"email": "ada@example.org"},
    "purpose": "newsletter",
    "content": {"subject": "News", "text": "Hello."},
}


@pytest.fixture
async def parcel(app: App) -> Parcel:
    """A message in its second attempt: the first was not begun."""
    await app.subscribe()
    answer = await app.http.post("/v1/messages", json=MESSAGE, headers=await app.key())
    assert answer.status == 202
    desk = Desk(app.parts)
    await desk.register(OWNER)
    (first,) = await desk.claim(OWNER, 1)
    await desk.settle(OWNER, [Ended(first, Ending(Phase.GREETED))])
    (second,) = await desk.claim(OWNER, 1)
    assert (second.message, second.attempt) == (first.message, 2)
    return second


async def status(app: App, parcel: Parcel) -> str:
    async with app.parts.data.read() as connection:
        found = await outbox.get(connection, parcel.message)
    assert found is not None
    return found.status


async def test_what_is_carried_stays_and_what_is_not_goes_back(app: App, parcel: Parcel) -> None:
    app.step(timedelta(seconds=5))
    carried = {(parcel.message, parcel.attempt)}

    await Desk(app.parts).take_back(OWNER, carried | OTHERS)
    assert await status(app, parcel) == "sending"
    await Desk(app.parts).take_back(OWNER, OTHERS)
    assert await status(app, parcel) == "queued"


async def test_an_earlier_attempt_says_nothing_of_this_one(app: App, parcel: Parcel) -> None:
    app.step(timedelta(seconds=5))

    await Desk(app.parts).take_back(OWNER, {(parcel.message, parcel.attempt - 1)})

    assert await status(app, parcel) == "queued"


async def test_a_worker_that_carries_nothing_holds_nothing(app: App, parcel: Parcel) -> None:
    await Desk(app.parts).take_back(OWNER, set())
    assert await status(app, parcel) == "sending", "its permit still runs"
    app.step(timedelta(seconds=5))

    await Desk(app.parts).take_back(OWNER, set())

    assert await status(app, parcel) == "queued"
