"""A clock runs five days ahead and is set right again: what it dated keeps nobody out for days."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import select

from consent.keys.intake_keys import INTAKE_KEY_LIFE
from delivery import tables
from gateway.callers import idempotency
from gateway.callers.api_keys import Scope
from gateway.callers.idempotency import Ticket
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.rights.session import open_session, session_of
from gateway.flows.sending import recover
from gateway.process import duties
from gateway.process.desk import Desk
from storage.keysets import KeySet
from storage.secret import Secret
from tests.support.apps import ADA, App, Mail

FIVE_DAYS = timedelta(days=5)
TEN_MINUTES = timedelta(minutes=10)
WEEK = timedelta(days=7)
GRACE = "grace@example.org"
VISITOR = {"X-Forwarded-For": "203.0.113.7"}


@asynccontextmanager
async def ahead(app: App) -> AsyncIterator[None]:
    """As long as the block lasts the clock is wrong."""
    app.step(FIVE_DAYS)
    yield
    app.step(-FIVE_DAYS)


async def post(app: App, email: str = ADA) -> int:
    body = await app.posted(email)
    async with app.http.post("/forms/signup", json=body, headers=VISITOR) as answer:
        return answer.status


async def link_mails(app: App) -> list[Mail]:
    async with app.http.post("/my-data", data={"email": ADA}) as answer:
        assert answer.status == 200
    return await app.deliver()


async def test_a_visitor_of_those_days_waits_no_longer_than_the_limit(limited: App) -> None:
    async with ahead(limited):
        assert await post(limited) == 202

    await post(limited)
    limited.step(timedelta(seconds=2))
    await asyncio.sleep(2.1)  # what a process remembers of a network it remembers in real seconds

    assert await post(limited) == 202


async def test_a_mailbox_that_was_asked_then_can_be_asked_a_week_later(app: App) -> None:
    async with ahead(app):
        for number in range(2):
            await app.sign_up(f"ada+{number}@example.org")
        await app.tick()
        elsewhere = {"X-Forwarded-For": "198.51.100.7"}  # one of the three is kept for it
        async with app.http.post("/forms/signup", json=await app.posted(), headers=elsewhere) as it:
            assert it.status == 202
        assert len(await app.deliver()) == 3

    await app.sign_up()
    assert await app.deliver() == []  # the mails are out, whenever that was
    app.step(WEEK)
    await app.sign_up()

    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_a_date_that_python_lacks_keeps_no_mailbox_out_for_longer_either(app: App) -> None:
    """Whoever writes rows gives a count a date that no clock shows."""
    later = "zzz" if app.parts.data.dialect == "sqlite" else "200000-01-01"
    await app.sign_up()
    assert len(await app.deliver()) == 1
    async with app.parts.data.begin() as connection:
        await connection.exec_driver_sql(
            f"UPDATE confirmation_count SET sent_at = '{later}'"  # noqa: S608 ours
        )

    await app.sign_up()
    await app.deliver()
    await duties.sweep(app.parts)
    app.step(WEEK + timedelta(seconds=1))
    await app.sign_up()

    assert [mail.to for mail in await app.deliver()] == [ADA]
    async with app.parts.data.read() as connection:
        left = await connection.exec_driver_sql(
            f"SELECT count(*) FROM confirmation_count WHERE sent_at = '{later}'"  # noqa: S608 ours
        )
        assert left.scalar_one() == 0


async def test_who_asked_for_their_data_then_gets_a_link_a_day_later(app: App) -> None:
    await app.subscribe()
    async with ahead(app):
        assert len(await link_mails(app)) == 1

    assert await link_mails(app) == []
    app.step(timedelta(days=1))

    assert [mail.to for mail in await link_mails(app)] == [ADA]


async def test_a_link_and_a_session_of_those_days_open_nothing(app: App) -> None:
    await app.subscribe()
    async with ahead(app):
        (mail,) = await link_mails(app)
        used = await open_session(app.parts, mail.token("my-data"))
        app.step(timedelta(days=1))
        (mail,) = await link_mails(app)
        app.step(-timedelta(days=1))

    assert used is not None
    assert (
        await session_of(
            app.parts.data, app.parts.keystore.sessions, app.parts.clock, app.parts.rows, used
        )
        is None
    )
    async with app.http.get(f"/my-data/{mail.token('my-data')}") as page:
        assert page.status == 410
    assert await open_session(app.parts, mail.token("my-data")) is None


async def test_a_confirmation_mail_of_those_days_goes_out_at_the_next_sweep(app: App) -> None:
    async with ahead(app):
        await app.sign_up()
        await app.tick()

    await duties.sweep(app.parts)

    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_a_mail_that_a_sender_wants_later_is_not_brought_forward(app: App) -> None:
    await app.subscribe()
    key = await app.key(Scope.MESSAGES_SEND)
    body = {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "Hello."},
        "send_at": (app.parts.clock.wall() + FIVE_DAYS).isoformat(),
    }
    async with app.http.post("/v1/messages", json=body, headers=key) as answer:
        assert answer.status == 202

    await duties.sweep(app.parts)

    assert await app.deliver() == []


async def test_messages_of_a_worker_that_died_then_are_taken_over_after_a_lease(app: App) -> None:
    desk = Desk(app.parts)
    async with ahead(app):
        await app.sign_up()
        await app.tick()
        await desk.register("wrk_dead")
        (parcel,) = await desk.claim("wrk_dead", 1)

    await duties.sweep(app.parts)
    assert await recover.abandoned(app.parts) == 0
    app.step(app.parts.config.delivery.lease)
    taken_over = await recover.abandoned(app.parts)

    assert taken_over == 1
    async with app.parts.data.read() as connection:
        query = select(tables.permit.c.state).where(tables.permit.c.id == parcel.permit)
        assert (await connection.execute(query)).scalar_one() == "lapsed"


async def test_a_request_that_broke_off_then_can_be_made_again(app: App) -> None:
    parts = app.parts
    request = idempotency.identify(
        KeySet.of(Secret(bytes(32))),
        api_key="key_a",
        endpoint="POST /v1/x",
        key="a",
        body=b"",
        meaning=b"",
        status=202,
    )
    async with ahead(app), parts.data.begin() as connection:
        await idempotency.take(connection, [request], parts.clock.wall())

    async with parts.data.begin() as connection:
        (again,) = await idempotency.take(connection, [request], parts.clock.wall())

    assert isinstance(again, Ticket)


async def test_keys_of_those_days_live_no_longer_than_others(app: App) -> None:
    parts = app.parts
    async with ahead(app):
        of_then, _ = await parts.keystore.intake_key(parts.clock.wall())
    since, _ = await parts.keystore.intake_key(parts.clock.wall())

    app.step(INTAKE_KEY_LIFE)
    later, _ = await parts.keystore.intake_key(parts.clock.wall())
    await duties.sweep(parts)

    assert len({of_then, since, later}) == 3
    assert set(await parts.keystore.intake_keys([of_then, since, later])) == {since, later}


async def test_a_key_that_was_closed_then_goes_when_nobody_seals_under_it(app: App) -> None:
    parts = app.parts
    async with ahead(app):
        closed, _ = await parts.keystore.intake_key(parts.clock.wall())
        app.step(INTAKE_KEY_LIFE)
        await parts.keystore.intake_key(parts.clock.wall())
        app.step(-INTAKE_KEY_LIFE)

    await duties.sweep(parts)
    assert set(await parts.keystore.intake_keys([closed])) == {closed}
    app.step(TEN_MINUTES)
    await duties.sweep(parts)

    assert await parts.keystore.intake_keys([closed]) == {}


async def test_keys_of_coming_weeks_are_not_kept_until_then(app: App) -> None:
    parts = app.parts
    app.step(10 * WEEK)
    (of_then, *_) = await parts.keystore.limit_keys(parts.clock.wall())
    app.step(-10 * WEEK)
    await parts.keystore.limit_keys(parts.clock.wall())

    app.step(10 * WEEK)
    (made_anew, *_) = await parts.keystore.limit_keys(parts.clock.wall())

    assert made_anew[0] == of_then[0]
    assert made_anew[1] != of_then[1]


async def test_a_daily_rule_that_ran_then_runs_on_the_next_day(app: App) -> None:
    rules = RetentionRules(app.parts)
    async with ahead(app):
        await rules.keys()
        await app.parts.keystore.create(["sub_nobody"], app.parts.clock.wall() - FIVE_DAYS)

    app.step(timedelta(days=1, seconds=1))

    assert await rules.keys() == 1
