"""A mailbox is asked by rows of two keys: its reader has a mail from before the second one.

What somebody says no to is the mailbox, whatever key names it: it has ended for every spelling,
or the process lacks that key and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from audit.kinds import Actor
from consent.errors import KeyringBehind
from delivery.desk import Parcel
from gateway.callers.api_keys import Scope
from gateway.flows.leaving import stop
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.process import duties
from gateway.process.desk import Desk
from tests.attacks.test_addresses_of_who_left import BOB, SECOND, sent_after, taken
from tests.attacks.test_asked_elsewhere import SPELLED, bobs
from tests.attacks.test_lagging_node import CLEO, beside
from tests.contract.test_ask_anew import NOW_ASKED, agreed, begin, finish, reworded
from tests.http.test_people_rights import Visit, visit
from tests.promises.test_withdrawal_is_told import tell
from tests.support.addresses import asked
from tests.support.apps import App, Mail, start_app
from tests.support.calls import call

A_WEEK = timedelta(days=8)  # beyond what is counted, and kept of mails that ask a mailbox
Said = Callable[[App, Mail], Coroutine[Any, Any, bool]]  # whether it was answered


@pytest.fixture
async def mail(app: App) -> Mail:
    """It asks Bob to confirm, and is from before the second key."""
    return await bobs(app)


@pytest.fixture
async def newer(app: App, mail: Mail) -> AsyncIterator[App]:
    """A process with the newer key, beside one that lacks it."""
    async with beside(app, kind="suppression") as node:
        yield node


async def by_a_link(app: App, mail: Mail, *, objection: bool = False) -> bool:
    """Who has the mail leaves altogether: no address is said."""
    subject = await stop.whose(app.parts.data, app.parts.clock, mail.token("stop"))
    leaving = Withdrawal(None, Actor.SUBJECT, "my-data", objection=objection)
    try:
        await Withdrawals(app.parts).by_subject(subject or "", leaving)
    except KeyringBehind:
        return False
    return True


async def objects(app: App, mail: Mail) -> bool:
    return await by_a_link(app, mail, objection=True)


async def not_me(app: App, mail: Mail) -> bool:
    return await _pressed(app, f"/confirm/{mail.token('confirm')}")


async def stops(app: App, mail: Mail) -> bool:
    return await _pressed(app, f"/stop/{mail.token('stop')}")


async def _pressed(app: App, path: str) -> bool:
    async with app.http.post(path, data={"answer": "reject"}) as answer:
        assert answer.status in (200, 503)
        return answer.status == 200


SAYING = [objects, not_me, stops]


async def claimed(app: App) -> tuple[Desk, Parcel]:
    await app.tick()
    desk = Desk(app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    return desk, parcel


async def sent_behind(saying: Awaitable[bool], desk: Desk, parcel: Parcel) -> bool:
    """Whether somebody was answered before a mail was begun, which then was."""

    async def answered() -> None:
        assert await saying

    return await sent_after(asyncio.create_task(answered()), desk, parcel)


@pytest.mark.parametrize("say", SAYING)
async def test_what_another_spelling_waits_to_be_asked_has_ended(
    newer: App, mail: Mail, say: Said
) -> None:
    await newer.sign_up(SPELLED)
    await newer.tick()

    assert await say(newer, mail)

    assert await newer.deliver() == []


@pytest.mark.parametrize("say", SAYING)
async def test_a_permit_of_the_moment_before_is_waited_for(
    newer: App, mail: Mail, say: Said
) -> None:
    await newer.sign_up(SPELLED)
    desk, parcel = await claimed(newer)

    assert not await sent_behind(say(newer, mail), desk, parcel)


@pytest.mark.parametrize("say", [*SAYING, by_a_link])
async def test_so_is_that_of_who_asked_for_the_mailbox(newer: App, mail: Mail, say: Said) -> None:
    desk, parcel = await taken(await adas(newer))

    assert not await sent_behind(say(newer, mail), desk, parcel)


async def adas(app: App) -> Visit:
    await app.subscribe()
    return await visit(app)


@pytest.mark.parametrize("say", SAYING)
async def test_who_lacks_the_key_answers_nobody_that_it_has_ended(
    app: App, newer: App, mail: Mail, say: Said
) -> None:
    """It cannot tell who shares the mailbox; another process, or this one later, does."""
    await newer.sign_up(SPELLED)
    await newer.tick()

    assert not await say(app, mail)

    assert await say(newer, mail)
    assert await newer.deliver() == []


@pytest.mark.parametrize("say", SAYING)
async def test_it_does_where_nothing_was_made_with_that_key(
    app: App, newer: App, mail: Mail, say: Said
) -> None:
    await newer.http.post("/forms/signup", json=await newer.posted(SPELLED))

    assert await say(app, mail)

    assert await newer.deliver() == []


async def test_who_leaves_by_who_lacks_the_key_waits_for_all_who_asked_for_a_mailbox(
    app: App, newer: App, mail: Mail
) -> None:
    """For which one it cannot tell; nobody is kept from leaving for it."""
    desk, parcel = await taken(await adas(newer))

    assert not await sent_behind(by_a_link(app, mail), desk, parcel)


async def waits_for_spelled_then_stops(app: App, mail: Mail) -> list[Mail]:
    """What goes once another spelling waited at a process with the newer key, and *mail* stops."""
    async with beside(app, kind="suppression") as newer:
        await newer.sign_up(SPELLED)
        await newer.tick()

        assert await stops(newer, mail)

        return await newer.deliver()


async def test_a_stop_by_a_mail_that_asked_the_mailbox_for_somebody_ends_it_too(app: App) -> None:
    """It went to no mailbox on file: where to, the link of who asked tells for a week."""
    _, asks = (await asked(await adas(app), BOB)).mails

    assert await waits_for_spelled_then_stops(app, asks) == []


async def test_so_it_does_later_where_somebody_is_mailed_there(app: App) -> None:
    await bobs(app)
    _, asks = (await asked(await adas(app), BOB)).mails
    app.step(A_WEEK)
    await duties.sweep(app.parts)

    assert await waits_for_spelled_then_stops(app, asks) == []


async def test_nobody_is_told_of_a_withdrawal_by_who_cannot_tell_that_they_stopped_such_mails(
    app: App, newer: App, mail: Mail
) -> None:
    """What the mailbox said under another spelling stands under the newer key alone."""
    tell(app, "newsletter")
    token = mail.token("confirm")
    await newer.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    await newer.sign_up(SPELLED)
    (other,) = await newer.deliver()
    assert await stops(newer, other)
    app.step(SECOND)
    bob = await newer.subject(BOB)

    leaving = Withdrawal("newsletter", Actor.SUBJECT, "unsubscribe")
    await Withdrawals(app.parts).by_subject(bob or "", leaving)

    assert await newer.deliver() == []


async def test_who_lacks_the_key_hands_out_nothing_that_leaves_a_block_out(
    app: App, newer: App, mail: Mail
) -> None:
    """Who answers for the data would say that the mailbox may be asked."""
    subject = await stop.whose(app.parts.data, app.parts.clock, mail.token("stop"))
    assert await stops(newer, mail)
    key = await newer.key(Scope.SUBJECTS_READ) | {"Access-Reason": "a letter"}
    path = f"/v1/subjects/{subject}/dossier"

    seen = [await call(one, key, "GET", path) for one in (newer, app)]

    assert [status for status, _ in seen] == [200, 503]
    assert seen[0][1]["blocks"]


async def test_who_lacks_the_key_asks_nobody_anew(app: App) -> None:
    """As above: whether somebody said no there it cannot tell."""
    text = await agreed(app, BOB, CLEO)
    async with beside(app, kind="suppression") as newer:
        await newer.sign_up(SPELLED)
        (mail,) = await newer.deliver()
        assert await stops(newer, mail)
        app.step(A_WEEK)
        async with start_app(reworded(app.parts.config, NOW_ASKED), app.parts.clock) as lagging:
            asking = await begin(lagging, text)

            with pytest.raises(KeyringBehind):
                await finish(asking)

        assert await newer.send_due() == []
