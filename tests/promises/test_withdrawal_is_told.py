"""Promises 1, 2 and 9: a withdrawal is told by one mail where the operator wants it, and undone
by nobody but the mailbox."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from consent.model import GroundKind
from delivery.tables import permit
from gateway.callers.api_keys import Scope
from gateway.flows.proving.verify import verify
from tests.http.test_people_rights import object_by_letter
from tests.http.test_recipients import nurture, post, text_of
from tests.promises.test_erased_is_erased import erase
from tests.support.apps import ADA, App, Mail
from tests.support.calls import call
from tests.support.stops import stops_of

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
SELDOM = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]
)


def tell(app: App, *purposes: str) -> None:
    """As `acknowledge = true` in the configuration."""
    known = app.parts.config.purposes
    for name in purposes or known:
        known[name] = known[name].model_copy(update={"acknowledge": True})


async def withdraw(app: App, email: str = ADA, **said: object) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    body = {"to": {"email": email}, "kind": "withdraw", "channel": "phone", **said}
    assert (await call(app, key, "POST", "/v1/withdrawals", body))[0] == 200
    app.step(SECOND)


def links(mail: Mail) -> set[str]:
    text = mail.raw.replace(b"=\r\n", b"").decode()
    return set(re.findall(r"http://gateway\.example/([a-z-]+)/", text))


async def grounds(app: App) -> list[str]:
    """What each permit rests on."""
    async with app.parts.data.read() as connection:
        return list((await connection.execute(select(permit.c.ground_kind))).scalars())


async def agree_again(app: App, mail: Mail) -> None:
    token = mail.token("again")
    await post(app, f"/again/{token}", data={"answer": "again"})
    (asks,) = await app.deliver()
    app.step(SECOND)
    await post(app, f"/confirm/{asks.token('confirm')}", data={"answer": "confirm"})


async def test_a_withdrawal_is_told_once_by_a_mail_with_that_link_alone(app: App) -> None:
    tell(app, "newsletter")
    token = (await nurture(app))["unsubscribe"]
    await post(app, f"/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"})
    _, page = await post(app, f"/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"})
    app.step(SECOND)

    (mail,) = await app.deliver()

    assert mail.to == ADA
    assert b"Subject: Your withdrawal is stored: Newsletter (Acme)" in mail.raw
    assert b"List-Unsubscribe" not in mail.raw
    assert b"text/html" in mail.raw
    assert links(mail) == {"again", "stop"}
    assert "One mail may tell you of your withdrawal." in page
    assert await app.permission() == "withdrawn"
    assert (await grounds(app)).count(GroundKind.SERVICE) == 1
    assert ">Newsletter</h2>" in await text_of(app, f"/again/{mail.token('again')}")
    await post(app, f"/unsubscribe/{token}")
    app.step(SECOND)
    assert await app.deliver() == [], "a repetition is told again"
    await agree_again(app, mail)
    assert await app.permission() == "granted"
    await app.tick()
    assert (await verify(app.parts)).rows == []


@SELDOM
async def test_all_that_was_left_at_once_is_told_by_one_mail_of_each_sender(app: App) -> None:
    tell(app)
    await app.subscribe(ADA, "newsletter", "updates")

    await withdraw(app, all=True)

    (mail,) = await app.deliver()
    text = mail.raw.decode()
    assert text.count("/again/") == 4  # twice in each part
    assert "Newsletter (Acme)" in text
    assert "Updates (Acme)" in text


@SELDOM
async def test_many_withdrawals_are_told_three_times_a_week(app: App) -> None:
    tell(app)
    came = []

    for _ in range(2):
        await app.subscribe(ADA, "newsletter", "updates")
        for purpose in ("newsletter", "updates"):
            app.step(SECOND)
            await withdraw(app, purpose=purpose)
            came.append(len(await app.deliver()))

    assert came == [1, 1, 1, 0]


@SELDOM
async def test_nothing_is_told_that_nobody_wants_told(app: App) -> None:
    """By purpose, and of an objection, "not me", a restriction, stopped mails and an erasure."""
    tell(app, "newsletter")
    people = [f"{name}@example.org" for name in ("ada", "bob", "cleo", "dora", "emil", "fay")]
    stops = {}
    for email in people:
        await app.sign_up(email, "newsletter", "updates")
        (mail,) = await app.deliver()
        await post(app, f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
        stops[email] = mail
    app.step(SECOND)
    ada, bob, cleo, dora, emil, fay = people

    await withdraw(app, ada, purpose="updates")
    await object_by_letter(app, "newsletter", bob)
    await post(app, f"/confirm/{stops[cleo].token('confirm')}", data={"answer": "reject"})
    subject = await app.subject(dora)
    assert subject is not None
    await stops_of(app.parts).restrict(subject)
    await withdraw(app, dora, purpose="newsletter")
    await post(app, f"/stop/{stops[emil].token('stop')}")
    app.step(SECOND)
    await withdraw(app, emil, purpose="newsletter")
    assert (await erase(app, email=fay))[0] == 202

    assert await app.deliver() == []


@SELDOM
@pytest.mark.parametrize("word", ["objection", "stop", "erasure"])
async def test_a_later_word_keeps_the_mail_that_waits_from_going(app: App, word: str) -> None:
    tell(app)
    await app.sign_up()
    (asks,) = await app.deliver()
    await post(app, f"/confirm/{asks.token('confirm')}", data={"answer": "confirm"})
    app.step(SECOND)
    await withdraw(app, purpose="newsletter")
    if word == "objection":
        await object_by_letter(app, "newsletter")
    elif word == "stop":
        await post(app, f"/stop/{asks.token('stop')}")
    else:
        assert (await erase(app))[0] == 202

    assert await app.deliver() == []
