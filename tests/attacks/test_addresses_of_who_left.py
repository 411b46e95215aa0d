"""Somebody asks for a mailbox whose owner leaves before the request has its turn: it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from audit.kinds import Actor
from consent import address
from consent.marks import GRACE
from consent.moving import TOLD_BEFORE
from delivery.desk import Parcel
from delivery.outbox import Parked, Status, outbox
from delivery.permits import Spending
from gateway.callers.api_keys import Scope
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from gateway.process.desk import Desk
from tests.attacks.test_hidden_rows import queue
from tests.attacks.test_lagging_node import beside
from tests.attacks.test_left_before import erased, passed_on
from tests.http.test_people_rights import Visit, visit
from tests.support.addresses import ask, delivered
from tests.support.apps import ADA, App
from tests.support.hostile import by_sql

BOB = "bob@example.org"
SECOND = timedelta(seconds=1)
Leave = Callable[[App], Awaitable[None]]


@pytest.fixture
async def me(app: App) -> Visit:
    """Ada, who is about to ask for Bob's mailbox."""
    await app.texts("newsletter", "updates")
    await app.subscribe()
    return await visit(app)


async def by_erasure(app: App) -> None:
    await erased(app, BOB)


async def by_objection(app: App) -> None:
    await passed_on(app, BOB, all=True, kind="object")


async def by_withdrawal(app: App) -> None:
    await passed_on(app, BOB, all=True)


async def mailboxes(app: App) -> list[str]:
    return [one.to for one in await delivered(app)]


@pytest.mark.parametrize("leave", [by_erasure, by_objection, by_withdrawal])
async def test_who_left_is_not_asked_by_what_was_acknowledged_before(
    me: Visit, leave: Leave
) -> None:
    """Their address would be kept again, and they be mailed, after the answer that they left."""
    await me.app.subscribe(BOB)
    await ask(me, BOB)

    await leave(me.app)

    # Who asks is told as ever: they must not learn who left.
    assert await mailboxes(me.app) == [ADA]


@pytest.mark.parametrize("leave", [by_objection, by_withdrawal])
async def test_nor_is_whoever_nobody_knows(me: Visit, leave: Leave) -> None:
    await ask(me, BOB)

    await leave(me.app)

    assert await mailboxes(me.app) == [ADA]


async def test_who_left_before_it_was_asked_may_be_asked(me: Visit) -> None:
    """They may be the same person, who comes back."""
    await me.app.subscribe(BOB)
    await by_erasure(me.app)
    me.app.step(SECOND)

    await ask(me, BOB)

    assert await mailboxes(me.app) == [ADA, BOB]


@pytest.mark.parametrize("leave", [by_erasure, by_objection, by_withdrawal])
async def test_nor_by_a_mail_that_was_queued_before(me: Visit, leave: Leave) -> None:
    await me.app.subscribe(BOB)
    await ask(me, BOB)
    assert [one.to for one in await me.app.deliver()] == [ADA]

    await leave(me.app)

    assert await mailboxes(me.app) == []


async def test_nor_by_one_that_waited_for_longer_than_marks_are_kept(me: Visit) -> None:
    await ask(me, BOB)
    assert [one.to for one in await me.app.deliver()] == [ADA]
    await by_withdrawal(me.app)
    me.app.step(GRACE + SECOND)

    assert await RetentionRules(me.app.parts).marks() == 0

    assert await mailboxes(me.app) == []


async def test_a_row_that_somebody_wrote_keeps_no_mark_for_ever(me: Visit) -> None:
    """Promise 12: a link that was made long ago and never ends would have every mark stay."""
    await ask(me, BOB)
    await me.app.deliver()
    await by_withdrawal(me.app)
    await by_sql(
        me.app,
        "UPDATE address_link SET created_at = '2001-01-01T00:00:00.000000Z',"
        " expires_at = '9000-01-01T00:00:00.000000Z'",
    )
    me.app.step(GRACE + SECOND)

    assert await RetentionRules(me.app.parts).marks() > 0


async def test_nor_by_a_process_that_cannot_tell_who_left(me: Visit) -> None:
    """It lacks the key of their mark; who has that tells, once the mail is due again."""
    await ask(me, BOB)
    assert [one.to for one in await me.app.deliver()] == [ADA]
    async with beside(me.app, kind="marks") as newer:
        await by_withdrawal(newer)
        me.app.step(TOLD_BEFORE)

        assert [one.to for one in await me.app.deliver()] == []
        assert await reasons(me.app) == [Parked.KEY_MISSING]
        me.app.step(timedelta(hours=1))
        assert [one.to for one in await newer.deliver()] == []
        assert await reasons(me.app) == []


async def taken(me: Visit, to: str = BOB) -> tuple[Desk, Parcel]:
    """The mail that asks a mailbox, as a worker has it who has not begun to send it."""
    await ask(me, to)
    await me.app.deliver()
    me.app.step(TOLD_BEFORE)
    desk = Desk(me.app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    return desk, parcel


async def sent_after(leaving: asyncio.Task[None], desk: Desk, parcel: Parcel) -> bool:
    """Whether somebody who leaves was answered before their mail was begun, which it then was."""
    await asyncio.sleep(0.5)
    answered = leaving.done()
    spent = await desk.spend("wrk_slow", [Spending(parcel.permit, parcel.message, parcel.attempt)])
    await asyncio.wait_for(leaving, 60)
    return answered and bool(spent)


async def forgotten(app: App, question: Question) -> None:
    asked = Request(question, Actor.API, "letter")
    assert await Erasures(Erasing(app.parts)).erase(asked) is not None


async def by_request(app: App) -> None:
    await forgotten(app, Question("", address.parse(BOB)))


async def by_their_name(app: App) -> None:
    """No address is said: theirs is sealed."""
    await forgotten(app, Question("", subject=await app.subject(BOB)))


async def by_a_link(app: App) -> None:
    subject = await app.subject(BOB)
    assert subject is not None
    withdrawal = Withdrawal(None, Actor.SUBJECT, "my-data")
    await Withdrawals(app.parts).by_subject(subject, withdrawal)


LEAVING = [by_request, by_their_name, by_a_link, by_objection, by_withdrawal]


@pytest.mark.parametrize("leave", LEAVING)
async def test_a_permit_of_the_moment_before_is_waited_for(me: Visit, leave: Leave) -> None:
    """It is Ada's, whose mail it is: nobody looked there as Bob left."""
    await me.app.subscribe(BOB)
    desk, parcel = await taken(me)

    assert not await sent_after(asyncio.create_task(leave(me.app)), desk, parcel)


@pytest.mark.parametrize("leave", [by_objection, by_withdrawal])
async def test_so_is_it_by_whoever_nobody_knows(me: Visit, leave: Leave) -> None:
    desk, parcel = await taken(me)

    assert not await sent_after(asyncio.create_task(leave(me.app)), desk, parcel)


async def test_what_the_same_person_is_mailed_themselves_keeps_nobody_waiting(me: Visit) -> None:
    """Else whoever asks for many mailboxes holds up all of them."""
    await me.app.subscribe(BOB)
    await ask(me, BOB)
    await me.app.deliver()
    await queue(me.app)
    desk = Desk(me.app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    assert parcel.subject == await me.app.subject(ADA)

    await asyncio.wait_for(by_withdrawal(me.app), 10)


async def reasons(app: App) -> list[str]:
    """Why mails wait that do."""
    query = select(outbox.c.reason).where(outbox.c.status == Status.DEFERRED)
    async with app.parts.data.read() as connection:
        return [*(await connection.execute(query)).scalars()]


async def test_an_erasure_that_begins_again_for_who_asked_keeps_its_name(me: Visit) -> None:
    """Else the first attempt, which is undone, would have taken it: nobody would be erased."""
    await me.app.subscribe(BOB)
    await ask(me, BOB)
    await me.app.deliver()
    key = await me.app.key(Scope.SUBJECTS_MANAGE)

    async def erase() -> tuple[int, str]:
        said = key | {"Idempotency-Key": "one"}
        async with me.app.http.post("/v1/erasures", json={"email": BOB}, headers=said) as answer:
            return answer.status, (await answer.json())["erasure_id"]

    first, again = await erase(), await erase()

    assert (first[0], again) == (202, first)
    assert await me.app.subject(BOB) is None
