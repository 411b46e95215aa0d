"""What comes after the final dot, in minutes: a reset, a late reply, a clock that jumps.

Scenarios 5 and 6 of delivery. The worker, its desk, its journal and the relay are real; minutes
are stepped over, on the database's clock and, where the worker waits by it, on the loop's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from delivery.journal import Journal
from delivery.permits import Spending
from delivery.schedule import AFTER_DOUBT
from gateway.flows.sending import recover
from gateway.parts import Parts
from gateway.process.desk import Desk
from storage.ids import random_id
from tests.support.apps import App, open_app
from tests.support.databases import Databases
from tests.support.loops import SteppedLoop
from tests.support.sink import Sink, Transaction, open_sink
from tests.support.waiting import until
from tests.support.workers import CountingDesk, working

LEASE = timedelta(minutes=1)
BEAT = LEASE / 4
MINUTE = timedelta(minutes=1)


async def test_after_a_reset_past_the_dot_service_mail_goes_once_more_and_marketing_never(
    app: App,
) -> None:
    asked, told = "rst-once.ada@example.test", "accept-then-rst.bob@example.test"
    key, message = await one_of_each(app, asked, told)

    async with open_sink() as sink, working(app, sink) as desk:
        await until(lambda: len(sink.accepted) == 2)
        for _ in range(3):
            app.step((AFTER_DOUBT - MINUTE) / 3)
            await desk.has_looked_later()
        early = len(sink.transactions)
        app.step(5 * MINUTE)  # with a tenth of half an hour at most on top of it
        await until(lambda: len(copies(sink, asked)) == 2)
        for _ in range(3):
            app.step(timedelta(hours=30))
            await desk.has_looked_later()
        seen = await status(app, key, message)

    first, second = copies(sink, asked)
    assert early == 2, "before half an hour was over"
    assert first.raw == second.raw
    assert len(sink.transactions) == 3
    assert [one.rcpt_to for one in sink.accepted].count(told) == 1
    assert seen == "uncertain"


@pytest.mark.parametrize(
    ("after", "ends"),
    [(timedelta(minutes=9, seconds=30), "sent"), (timedelta(minutes=10, seconds=30), "uncertain")],
    ids=["within", "later"],
)
def test_a_relay_has_ten_minutes_to_answer_the_dot(
    dialect: str, tmp_path: Path, new_database_url: Databases, after: timedelta, ends: str
) -> None:
    """RFC 5321, section 4.5.3.2.6; its lease is renewed all the time, and no other tries it."""

    async def deliver() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppedLoop)
        to = f"delay-dot-{after // timedelta(milliseconds=1)}.ada@example.test"
        async with AsyncExitStack() as opened:
            app = await opened.enter_async_context(open_app(tmp_path, new_database_url, dialect))
            sink = await opened.enter_async_context(open_sink())
            app.parts = with_lease(app, LEASE)
            await app.subscribe(to)
            key = await app.key()
            message = await queued(app, key, to)
            desk = await opened.enter_async_context(working(app, sink, LEASE))
            await until(lambda: any(one.dot_at for one in sink.transactions))
            other = await opened.enter_async_context(working(app, sink, LEASE))
            await other.has_looked()

            passed, taken_over = timedelta(), 0
            while passed + BEAT < min(after, timedelta(minutes=10)):
                await stepped(loop, app, [desk, other])
                passed += BEAT
                taken_over += await recover.from_journals(app.parts)
                taken_over += await recover.abandoned(app.parts)
            before, renewed = await status(app, key, message), desk.renewals
            await stepped(loop, app, [desk, other])
            await ended(app, key, message, ends)
            app.step(timedelta(hours=5))
            await stepped(loop, app, [desk, other])
            await other.has_looked()

            assert (before, taken_over) == ("sending", 0)
            assert renewed >= 30
            assert await status(app, key, message) == ends
            assert len(sink.transactions) == 1
            assert len(sink.accepted) == (ends == "sent")

    with asyncio.Runner(loop_factory=SteppedLoop) as runner:
        runner.run(deliver())


async def test_a_clock_that_jumps_over_a_lease_makes_no_second_copy_of_what_is_past_its_dot(
    app: App, tmp_path: Path
) -> None:
    """Another process calls it in doubt; what the relay says to it in the end is what holds."""
    key, message = await one_of_each(app, "ada@example.test", "bob@example.test")
    hold = tmp_path / "hold"
    hold.touch()

    async with open_sink() as sink, working(app, sink) as desk:
        sink.hold = hold
        await until(lambda: sum(one.dot_at is not None for one in sink.transactions) == 2)
        await desk.falls_silent()
        app.step(app.parts.config.delivery.lease + MINUTE)
        taken_over = await recover.abandoned(app.parts)
        meanwhile = await status(app, key, message)
        desk.beats.set()
        hold.unlink()
        await until(lambda: len(sink.accepted) == 2)
        async with asyncio.timeout(60):
            while await status(app, key, message) != "sent":
                await recover.from_journals(app.parts)  # as a duty does
                await asyncio.sleep(0.05)
        for _ in range(3):
            app.step(timedelta(hours=2))
            await desk.has_looked_later()

    assert (taken_over, meanwhile) == (2, "uncertain")
    assert len(sink.transactions) == 2


async def test_what_a_worker_noted_and_told_nobody_holds_against_a_takeover_that_was_in_doubt(
    app: App,
) -> None:
    """As where its host is cut off: it dies with the relay's yes in its journal alone."""
    key, message = await one_of_each(app, "ada@example.test", "bob@example.test")
    desk, owner = Desk(app.parts), random_id("wrk")
    await desk.register(owner)
    parcels = await desk.claim(owner, 10)
    with Journal.create(app.parts.config.delivery.journal_dir, owner) as journal:
        for one in parcels:
            spending = Spending(one.permit, one.message, one.attempt)
            assert await desk.spend(owner, [spending]) == {one.permit}
            journal.dot(one.message, one.attempt)
        app.step(app.parts.config.delivery.lease + MINUTE)
        taken_over = await recover.abandoned(app.parts)
        meanwhile = await status(app, key, message)
        for one in parcels:
            journal.acc(one.message, one.attempt, 250)

    await recover.from_journals(app.parts)
    app.step(timedelta(hours=6))

    assert (taken_over, meanwhile) == (2, "uncertain")
    assert await status(app, key, message) == "sent"
    assert await app.send_due() == [], "a second copy of the mail that asks"


async def one_of_each(app: App, asked: str, told: str) -> tuple[dict[str, str], str]:
    """A confirmation mail and a marketing mail wait; a key, and the name of the second."""
    await app.subscribe(told)
    key = await app.key()
    message = await queued(app, key, told)
    await app.sign_up(asked)
    await app.tick()
    return key, message


def with_lease(app: App, lease: timedelta) -> Parts:
    config = app.parts.config
    delivery = config.delivery.model_copy(update={"lease": lease})
    return replace(app.parts, config=config.model_copy(update={"delivery": delivery}))


async def stepped(loop: SteppedLoop, app: App, desks: Sequence[CountingDesk]) -> None:
    """Let a quarter of a lease pass; each worker has told by then that it lives."""
    before = [desk.renewals for desk in desks]
    app.step(BEAT)
    loop.step(BEAT.total_seconds())
    await until(lambda: all(one.renewals > n for one, n in zip(desks, before, strict=True)))


async def queued(app: App, key: dict[str, str], to: str) -> str:
    content = {"subject": "News", "text": "Hello."}
    body = {"to": {"email": to}, "purpose": "newsletter", "content": content}
    answer = await app.http.post("/v1/messages", json=body, headers=key)
    assert answer.status == 202
    return str((await answer.json())["message_id"])


async def status(app: App, key: dict[str, str], message: str) -> str:
    seen = await (await app.http.get(f"/v1/messages/{message}", headers=key)).json()
    return str(seen["status"])


async def ended(app: App, key: dict[str, str], message: str, wanted: str) -> None:
    async with asyncio.timeout(60):
        while await status(app, key, message) != wanted:  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.05)


def copies(sink: Sink, to: str) -> list[Transaction]:
    return [one for one in sink.accepted if one.rcpt_to == to]
