"""What a worker claims among others, and what of it goes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from consent.keys.vault import Vault
from delivery import leases, outbox
from delivery.desk import Ended, Parcel
from delivery.outcome import Ending, Phase, Reply
from delivery.sharing import Rank
from gateway.process.counting import CountingDesk
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


async def test_a_session_that_was_over_costs_a_message_no_try_and_no_time(
    app: App, parcel: Parcel
) -> None:
    desk, over = Desk(app.parts), Reply(421, "4.7.0", "4.7.0 so many and no more")

    await desk.settle(OWNER, [Ended(parcel, Ending(Phase.MAIL, over, worn=True))])

    (again,) = await desk.claim(OWNER, 1)
    assert (again.message, again.attempt) == (parcel.message, 3)
    async with app.parts.data.read() as connection:
        found = await outbox.get(connection, parcel.message)
    assert found is not None and found.tries == 0


async def test_an_opinion_of_us_is_counted_and_told_without_its_words(
    app: App, parcel: Parcel
) -> None:
    reply = Reply(550, "5.1.1", "5.1.1 <ada@example.org>: blocked by policy")
    desk = CountingDesk(app.parts, app.counted, aside=False)

    with capture_logs() as lines:
        await desk.settle(OWNER, [Ended(parcel, Ending(Phase.RCPT, reply))])

    (line,) = [one for one in lines if one["event"] == "relay_objects"]
    assert (line["message"], line["code"], line["enhanced"]) == (parcel.message, 550, "5.1.1")
    assert "policy" not in str(line)
    assert "gateway_relay_objections_total 1.0" in app.metrics()
    assert await status(app, parcel) == "deferred"
    headers = await app.key("permissions:read")
    asked = {"to": MESSAGE["to"], "purpose": "newsletter"}
    answer = await app.http.post("/v1/permissions", json=asked, headers=headers)
    assert (await answer.json())["granted"] is True, "nobody is suppressed for it"


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


async def test_four_workers_that_look_at_once_all_get_what_they_want(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one of them comes back with nothing, although there is enough for all."""
    people = [f"person{n}@example.org" for n in range(60)]
    for person in people:
        await app.sign_up(person)
    for mail in await app.deliver():
        confirm = f"/confirm/{mail.token('confirm')}"
        assert (await app.http.post(confirm, data={"answer": "confirm"})).status == 200
    batch = {"messages": [MESSAGE | {"to": {"email": person}} for person in people]}
    answer = await app.http.post("/v1/messages/batch", json=batch, headers=await app.key())
    assert answer.status == 200
    owners = [f"wrk_{n}" for n in range(4)]
    for owner in owners:
        await Desk(app.parts).register(owner)
    everybody_looked, vault = asyncio.Barrier(len(owners)), app.parts.keystore.vault

    async def fetched_together(subjects: Iterable[str]) -> Vault:
        await everybody_looked.wait()
        return await vault(subjects)

    monkeypatch.setattr(app.parts.keystore, "vault", fetched_together)
    claims = await asyncio.gather(*(Desk(app.parts).claim(owner, 10) for owner in owners))

    messages = [parcel.message for parcels in claims for parcel in parcels]
    assert len(messages) == len(set(messages))
    print([len(parcels) for parcels in claims])
    assert all(len(parcels) >= 8 for parcels in claims)
    assert len(messages) >= 38


async def test_a_worker_knows_its_place_among_those_that_run(app: App) -> None:
    for owner in ("wrk_b", "wrk_a", "wrk_c"):
        await Desk(app.parts).register(owner)
    async with app.parts.data.begin() as connection:
        now = await app.parts.clock.now(connection)
        over = now + app.parts.config.delivery.lease
        ranks = [await leases.rank(connection, f"wrk_{x}", now) for x in "abcd"]

        assert ranks == [Rank(0, 3), Rank(1, 3), Rank(2, 3), Rank()]
        assert await leases.rank(connection, "wrk_b", over) == Rank()
