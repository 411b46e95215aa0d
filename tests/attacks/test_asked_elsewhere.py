"""Somebody asks for another mailbox, and whoever reads there says no to such mails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import and_, delete, update

from audit.kinds import Actor
from consent import address
from consent.keys.tables import dek
from consent.moving import TOLD_BEFORE
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals, _Said, _Written
from gateway.flows.sending.permission import Question
from tests.attacks.test_addresses_of_who_left import (
    BOB,
    SECOND,
    by_a_link,
    by_objection,
    sent_after,
    taken,
)
from tests.attacks.test_lagging_node import CLEO
from tests.http.test_people_rights import Visit, visit
from tests.support.addresses import ask, asked
from tests.support.apps import ADA, App, Mail

SPELLED = BOB.replace("@", "+news@")
Said = Callable[[App, Mail], Awaitable[None]]


@pytest.fixture
async def me(app: App) -> Visit:
    """Ada, who is about to ask for Bob's mailbox."""
    await app.texts("newsletter", "updates")
    await app.subscribe()
    return await visit(app)


async def objects(app: App, mail: Mail) -> None:
    await by_objection(app)


async def not_me(app: App, mail: Mail) -> None:
    token = mail.token("confirm")
    answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
    assert answer.status == 200


async def stops(app: App, mail: Mail) -> None:
    answer = await app.http.post(f"/stop/{mail.token('stop')}")
    assert answer.status == 200


SAYING = [objects, not_me, stops]


async def bobs(app: App) -> Mail:
    """The mail that asks Bob to confirm."""
    await app.sign_up(BOB)
    (mail,) = [one for one in await app.deliver() if one.to == BOB]
    return mail


@pytest.mark.parametrize("to", [BOB, SPELLED], ids=["as it is", "spelled otherwise"])
@pytest.mark.parametrize("say", SAYING)
async def test_what_waits_to_ask_there_goes_no_more(me: Visit, say: Said, to: str) -> None:
    mail = await bobs(me.app)
    await ask(me, to)
    assert [one.to for one in await me.app.deliver()] == [ADA]

    await say(me.app, mail)

    me.app.step(TOLD_BEFORE)
    assert await me.app.deliver() == []


@pytest.mark.parametrize("say", SAYING)
async def test_what_waits_for_who_asked_goes_all_the_same(me: Visit, say: Said) -> None:
    """Else they could tell that somebody said no: their server keeps a mail of theirs waiting."""
    mail = await bobs(me.app)
    await ask(me, BOB)
    await me.app.deliver()
    await me.app.sign_up(ADA, "updates")
    await me.app.tick()

    me.app.step(SECOND)
    await say(me.app, mail)

    assert [one.to for one in await me.app.deliver()] == [ADA]


async def test_nor_does_who_stops_them_by_the_very_mail_that_asks(me: Visit) -> None:
    await ask(me, BOB)
    await me.app.deliver()
    me.app.step(TOLD_BEFORE)
    (mail,) = await me.app.deliver()
    await me.app.sign_up(ADA, "updates")
    await me.app.tick()

    me.app.step(SECOND)
    await stops(me.app, mail)

    assert [one.to for one in await me.app.deliver()] == [ADA]


@pytest.mark.parametrize("say", SAYING)
async def test_a_permit_of_the_moment_before_is_waited_for(me: Visit, say: Said) -> None:
    mail = await bobs(me.app)
    desk, parcel = await taken(me)

    assert not await sent_after(asyncio.create_task(say(me.app, mail)), desk, parcel)


async def test_so_is_it_where_the_key_of_who_leaves_is_missing(me: Visit) -> None:
    """Their address does not open, but a mail that they asked for went there, too."""
    await me.app.subscribe(BOB)
    desk, parcel = await taken(me)
    bob = await me.app.subject(BOB)
    theirs = and_(dek.c.subject == bob, dek.c.compartment == "profile")
    async with me.app.parts.key_database.begin() as connection:
        await connection.execute(delete(dek).where(theirs))
    me.app.parts.keystore._people.forget([bob or ""])

    assert not await sent_after(asyncio.create_task(by_a_link(me.app)), desk, parcel)


async def test_who_stops_them_by_that_mail_needs_no_key_of_who_asked(me: Visit) -> None:
    """Whoever asks, and writes keys, would keep the mailbox from being rid of such mails."""
    mail = (await asked(me, BOB)).mails[-1]
    theirs = and_(dek.c.subject == await me.app.subject(), dek.c.compartment == "profile")
    async with me.app.parts.key_database.begin() as connection:
        await connection.execute(update(dek).where(theirs).values(wrapped=b"\x01\x01" + b"0" * 99))
    me.app.parts.keystore._people.forget([await me.app.subject() or ""])

    await stops(me.app, mail)

    await me.app.sign_up(BOB)
    assert await me.app.deliver() == []


async def test_who_leaves_one_purpose_beside_them_does_not_wait_for_it(me: Visit) -> None:
    """They share a transaction, and each waits for what is theirs."""
    await me.app.subscribe(BOB)
    await taken(me)
    leaving = Withdrawal(None, Actor.SUBJECT, "letter")
    one = replace(leaving, purpose="newsletter")
    theirs, stranger = Question("", address.parse(BOB)), Question("", address.parse(CLEO))
    said = [_Said(theirs, leaving), _Said(stranger, one)]

    written = await Withdrawals(me.app.parts)._write(said)

    assert [isinstance(each, _Written) and bool(each.still_open) for each in written] == [
        True,
        False,
    ]
