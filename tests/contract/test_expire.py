"""Consents that end by themselves: by date, for want of use; and what ends a queued question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from consent import tables
from consent.consents import Deadline
from delivery import tables as delivery_tables
from gateway.flows.keeping.expire import Expiry
from gateway.flows.keeping.walk import Walk
from gateway.flows.proving.verify import verify
from tests.support.apps import ADA, App, open_app
from tests.support.statements import statements

DAY = timedelta(days=1)
SHORT = """
[purposes.rare]
sender = "acme"
basis = "consent"
title = { en = "Rare" }
text = { en = "Yes, now and then." }
unused_after = "30d"
expires_after = "300d"

[forms.rare]
purposes = ["rare"]
"""


@pytest.fixture
async def app(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, more=SHORT) as opened:
        yield opened


async def subscribe(app: App) -> None:
    texts = await app.texts("rare", form="rare")
    body = {"email": ADA, "purposes": ["rare"], "texts": texts}
    assert (await app.http.post("/forms/rare", json=body)).status == 202
    (mail,) = await app.deliver()
    answer = {"answer": "confirm"}
    assert (await app.http.post(f"/confirm/{mail.token('confirm')}", data=answer)).status == 200


async def queue(app: App, **more: Any) -> tuple[int, dict[str, Any]]:
    body = {
        "to": {"email": ADA},
        "purpose": "rare",
        "content": {"subject": "News", "text": "Hello."},
    }
    answer = await app.http.post("/v1/messages", json=body | more, headers=await app.key())
    return answer.status, await answer.json()


async def states(app: App) -> list[tuple[str, datetime | None]]:
    table = tables.consent
    async with app.parts.data.read() as connection:
        query = select(table.c.state, table.c.decided_at).order_by(table.c.id)
        return [tuple(row) for row in await connection.execute(query)]


async def outcomes(app: App) -> list[tuple[str, str | None]]:
    table = delivery_tables.outbox
    async with app.parts.data.read() as connection:
        query = select(table.c.status, table.c.reason).order_by(table.c.id)
        return [tuple(row) for row in await connection.execute(query)]


async def test_a_consent_that_nobody_used_permits_nothing_before_any_duty_came_by(
    app: App,
) -> None:
    await subscribe(app)
    app.step(30 * DAY - timedelta(microseconds=1))
    assert await app.permission(ADA, "rare") == "granted"

    app.step(timedelta(microseconds=1))

    assert await app.permission(ADA, "rare") == "expired"
    status, answer = await queue(app)
    assert (status, answer["reason"]) == (403, "expired")


async def test_the_claim_refuses_what_was_queued_while_the_consent_was_in_use(app: App) -> None:
    await subscribe(app)
    app.step(timedelta(seconds=1))  # ids sort by time
    due_at = (app.parts.clock.wall() + 30 * DAY).isoformat()
    assert (await queue(app, send_at=due_at))[0] == 202

    app.step(30 * DAY)

    assert await app.deliver() == []
    assert await outcomes(app) == [("sent", None), ("refused", "expired")]


async def test_every_use_counts_anew(app: App) -> None:
    await subscribe(app)
    app.step(29 * DAY)
    await queue(app)
    assert len(await app.deliver()) == 1
    app.step(30 * DAY - timedelta(seconds=1))
    assert await app.permission(ADA, "rare") == "granted"

    app.step(timedelta(seconds=1))

    assert await app.permission(ADA, "rare") == "expired"


async def test_a_sign_up_after_disuse_asks_again(app: App) -> None:
    await subscribe(app)
    app.step(30 * DAY)

    await subscribe(app)

    assert await app.permission(ADA, "rare") == "granted"


async def test_the_duty_writes_down_when_it_ended_and_not_when_it_looked(app: App) -> None:
    await subscribe(app)
    confirmed_at = app.parts.clock.wall()
    app.step(35 * DAY)

    assert await Expiry(app.parts).by_use() == 1

    assert await states(app) == [("expired", confirmed_at + 30 * DAY)]
    await app.tick()
    assert (await verify(app.parts)).ok


async def test_the_duty_leaves_a_consent_that_was_used(app: App) -> None:
    await subscribe(app)
    app.step(20 * DAY)
    await queue(app)
    await app.deliver()
    app.step(20 * DAY)

    assert await Expiry(app.parts).by_use() == 0
    assert [state for state, _ in await states(app)] == ["confirmed"]


async def test_the_date_ends_a_consent_however_much_it_is_used(app: App) -> None:
    await subscribe(app)
    confirmed_at = app.parts.clock.wall()
    for _ in range(15):
        app.step(20 * DAY)
        await queue(app)
        await app.deliver()

    assert await app.permission(ADA, "rare") == "expired"
    assert await states(app) == [("expired", confirmed_at + 300 * DAY)]


async def test_looking_for_use_costs_young_consents_no_statement(app: App) -> None:
    await subscribe(app)
    with statements() as seen:
        await app.permission(ADA, "rare")
    young = len([one for one in seen if "FROM permit" in one])
    app.step(30 * DAY)
    with statements() as seen:
        await app.permission(ADA, "rare")

    assert young == 0
    assert len([one for one in seen if "FROM permit" in one]) == 1


@pytest.mark.parametrize("what", [Deadline.ANSWER, Deadline.DATE, Deadline.USE])
async def test_altered_rows_in_front_do_not_keep_others_from_their_end(
    app: App, what: Deadline
) -> None:
    people = [f"p{n}@example.org" for n in range(4)]
    for one in people:
        texts = await app.texts("rare", form="rare")
        body = {"email": one, "purposes": ["rare"], "texts": texts}
        await app.http.post("/forms/rare", json=body)
        mails = await app.deliver()
        if what is not Deadline.ANSWER:
            token = mails[-1].token("confirm")
            await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
        app.step(timedelta(seconds=1))
    table = tables.consent
    async with app.parts.data.begin() as connection:
        ids = list((await connection.execute(select(table.c.id).order_by(table.c.id))).scalars())
        altered = table.update().where(table.c.id.in_(ids[:3]))
        await connection.execute(altered.values(mac=b"somebody else's"))
    app.step(400 * DAY)

    expiry = Expiry(app.parts, {what: Walk(1)}, Walk(1))
    run = expiry.by_use if what is Deadline.USE else expiry.by_date
    ended = sum([await run() for _ in range(4)])

    assert ended == 1
    assert (await states(app))[3][0] in ("lapsed", "expired")


async def queued_while_the_first_was_answered(app: App) -> str:
    """Two requests of one address: the mail of the first arrived, that of the second waits."""
    token = await app.confirmation(ADA, "newsletter")
    app.step(timedelta(seconds=1))
    await app.sign_up(ADA, "updates")
    await app.tick()
    return token


async def test_not_me_ends_the_confirmation_mails_of_other_requests_too(app: App) -> None:
    token = await queued_while_the_first_was_answered(app)

    await app.http.post(f"/confirm/{token}", data={"answer": "reject"})

    assert await app.deliver() == []
    assert await outcomes(app) == [("sent", None), ("cancelled", "not_needed")]


async def test_confirming_leaves_the_mail_of_another_request_in_the_queue(app: App) -> None:
    token = await queued_while_the_first_was_answered(app)

    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})

    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_an_objection_ends_a_queued_confirmation_mail(app: App) -> None:
    await queued_while_the_first_was_answered(app)
    body = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "letter"}
    answer = await app.http.post("/v1/withdrawals", json=body, headers=await app.key())
    assert answer.status == 200

    assert await app.deliver() == []
    assert (await outcomes(app))[1][0] == "cancelled"
