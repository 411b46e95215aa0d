"""Whoever is told that they left is told so after every permit of theirs has ended."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import delete, insert, update

from audit.kinds import Actor
from consent import address
from delivery.permits import Spending
from delivery.tables import permit
from gateway.flows.proving.verify import verify
from gateway.flows.rights.erase import Request
from gateway.flows.sending.permission import Question
from gateway.process.desk import Desk
from tests.attacks.test_hidden_rows import leave, mailed, queue
from tests.attacks.test_rows_beside_an_erasure import first_step
from tests.support.apps import ADA, App
from tests.support.stores import rows


@pytest.mark.parametrize("how", ["deleted", "dated short"])
async def test_a_permit_that_goes_while_somebody_waits_for_it_is_not_spent_afterwards(
    app: App, how: str
) -> None:
    """It was there when the withdrawal was written; the wait then asks its row alone."""
    mail = await mailed(app)
    desk = Desk(app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    this = permit.c.id == parcel.permit
    leaving = asyncio.create_task(leave(app, mail))
    await asyncio.sleep(0.5)
    assert not leaving.done()
    async with app.parts.data.begin() as connection:
        away = [one for one in await rows(connection, permit) if one["id"] == parcel.permit]
        short = update(permit).where(this).values(expires_at=permit.c.decided_at)
        await connection.execute(delete(permit).where(this) if how == "deleted" else short)

    await asyncio.sleep(0.5)
    answered = leaving.done()
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(permit).where(this))
        await connection.execute(insert(permit), away)
    spending = Spending(parcel.permit, parcel.message, parcel.attempt)
    spent = await desk.spend("wrk_slow", [spending])
    status = await asyncio.wait_for(leaving, 60)
    await app.tick()
    assert not answered or status != 200 or not spent or not (await verify(app.parts)).ok


@pytest.mark.parametrize("answer", ["reject", "decline"])
async def test_not_me_waits_for_permits_also_while_an_erasure_does(app: App, answer: str) -> None:
    """Nobody attacks: the erasure is not answered yet, and what the person says meanwhile is."""
    token = await app.subscribe(ADA)
    await queue(app)
    desk = Desk(app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    asked = Request(Question("", address.parse(ADA)), Actor.API, "letter")
    begun = await first_step(app, asked)
    assert begun is not None and begun.still_open

    saying = asyncio.create_task(app.http.post(f"/confirm/{token}", data={"answer": answer}))
    await asyncio.sleep(0.5)

    answered = saying.done()
    spending = Spending(parcel.permit, parcel.message, parcel.attempt)
    spent = await desk.spend("wrk_slow", [spending])
    status = (await asyncio.wait_for(saying, 60)).status
    assert not answered or status != 200 or not spent


async def test_not_me_while_an_erasure_does_ends_what_other_spellings_are_asked(app: App) -> None:
    """Nobody attacks: the same mailbox was signed up twice, and one of the two is forgotten."""
    token = await app.subscribe(ADA)
    await app.sign_up(ADA.replace("@", "+news@"))
    await app.tick()
    asked = Request(Question("", address.parse(ADA)), Actor.API, "letter")
    assert await first_step(app, asked) is not None

    answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})

    assert answer.status == 200
    assert await app.deliver() == []
