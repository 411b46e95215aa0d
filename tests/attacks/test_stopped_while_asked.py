"""Nobody attacks: a process is stopped, or its machine sleeps, between its look and its event.

With PostgreSQL nothing is open then that the server would end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import times
from audit.tables import audit_item
from consent import address, asked_about
from consent.keys.vault import Vault
from consent.model import Granted, Reason, Refused
from delivery.tables import outbox
from gateway.callers.idempotency import Hashes, Name
from gateway.flows.sending import enqueue, permission
from gateway.flows.sending.accepted import Queued
from gateway.flows.sending.enqueue import Done, Handed, Wanted
from gateway.flows.sending.permission import Asked, Question
from storage.clock import DatabaseClock
from tests.promises.test_erased_is_erased import NOTHING_KEPT, erase, run_rules, sound
from tests.support.apps import ADA, App, open_app
from tests.support.calls import INLINE, call
from tests.support.databases import Databases

BOB = "bob@example.org"
EVE = "eve@example.org"
STOP = 1.5
TOLERATED = timedelta(seconds=0.5)
Meanwhile = Callable[[], Awaitable[None]]


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Databases, dialect: str) -> AsyncIterator[App]:
    """By the clock of its database."""
    clock = DatabaseClock()
    async with open_app(
        tmp_path, new_database_url, dialect, clock=clock, more=NOTHING_KEPT
    ) as opened:
        yield opened


def question(email: str = ADA, purpose: str = "newsletter") -> Question:
    return Question(purpose, address.parse(email))


def stop_before_writing(app: App, monkeypatch: pytest.MonkeyPatch, meanwhile: Meanwhile) -> None:
    """As if a stop of minutes came once the keys are there: all is some hundred times as fast."""
    vault = app.parts.keystore.vault

    async def fetched_and_then_stopped(subjects: Collection[str]) -> Vault:
        keys = await vault(subjects)
        monkeypatch.undo()
        monkeypatch.setattr(times, "TOLERANCE", TOLERATED)
        monkeypatch.setattr(asked_about, "FRESH", TOLERATED / 2)
        await asyncio.sleep(STOP)
        await meanwhile()
        return keys

    monkeypatch.setattr(asked_about, "FRESH", TOLERATED / 2)
    monkeypatch.setattr(app.parts.keystore, "vault", fetched_and_then_stopped)


def unaware(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the stop came after it looked how late it is."""
    monkeypatch.setattr(asked_about.AskedAbout, "is_old", False)


def stop_while_others_come(app: App, monkeypatch: pytest.MonkeyPatch, *, is_aware: bool) -> None:
    """As `stop_before_writing`; meanwhile somebody else signs up, and the log goes on."""

    async def meanwhile() -> None:
        if not is_aware:
            unaware(monkeypatch)
        await app.confirmation(BOB)
        await app.tick()

    stop_before_writing(app, monkeypatch, meanwhile)


@pytest.fixture(params=["it looks how late it is", "it looked before"])
def is_aware(request: pytest.FixtureRequest, dialect: str) -> bool:
    aware: bool = request.param == "it looks how late it is"
    if not aware and dialect == "sqlite":
        pytest.skip("it looks while nobody else writes")
    return aware


async def test_a_look_of_before_a_stop_is_not_told_behind_what_came_after_it(
    app: App, monkeypatch: pytest.MonkeyPatch, is_aware: bool
) -> None:
    """A verification would say for ever that somebody back-dated an entry."""
    await app.subscribe()

    stop_while_others_come(app, monkeypatch, is_aware=is_aware)
    asked = [Asked(question(), "key"), Asked(question(EVE), "key")]
    known, unknown = await permission.ask_all(app.parts, asked)

    assert isinstance(known, Granted)
    assert unknown == Refused(Reason.UNKNOWN)
    assert await sound(app) == []


async def test_a_look_at_nobody_is_not_either(
    app: App, monkeypatch: pytest.MonkeyPatch, is_aware: bool
) -> None:
    stop_while_others_come(app, monkeypatch, is_aware=is_aware)

    assert await permission.ask_all(app.parts, [Asked(question(EVE), "key")]) == [
        Refused(Reason.UNKNOWN)
    ]
    assert await sound(app) == []


async def test_whoever_withdrew_during_a_stop_is_not_told_of_as_before(
    app: App, monkeypatch: pytest.MonkeyPatch, is_aware: bool
) -> None:
    await app.subscribe()

    async def meanwhile() -> None:
        if not is_aware:
            unaware(monkeypatch)
        said = {"to": {"email": ADA}, "purpose": "newsletter", "channel": "phone"}
        said["kind"] = "withdraw"
        assert (await call(app, await app.key(), "POST", "/v1/withdrawals", said))[0] == 200

    stop_before_writing(app, monkeypatch, meanwhile)

    assert await permission.ask_all(app.parts, [Asked(question(), "key")]) == [
        Refused(Reason.WITHDRAWN)
    ]
    assert await sound(app) == []


@pytest.mark.parametrize("name", [None, "again"])
async def test_a_refusal_of_before_a_stop_is_not_told_behind_what_came_after_it(
    app: App, monkeypatch: pytest.MonkeyPatch, is_aware: bool, name: str | None
) -> None:
    await app.subscribe()

    stop_while_others_come(app, monkeypatch, is_aware=is_aware)
    wanted = [Wanted(question(), INLINE, "key"), Wanted(question(EVE), INLINE, "key")]
    named = (
        None if name is None else Name("key", "/x", Hashes(b"k" * 32, b"f" * 32, b"b" * 32), 202)
    )
    (done,) = await enqueue.accept_all(app.parts, [Handed(wanted, named, batch=True)])

    assert isinstance(done, Done)
    assert [type(one) for one in done.outcomes] == [Queued, Refused]
    async with app.parts.data.read() as connection:
        queued = select(func.count()).select_from(outbox).where(outbox.c.kind == "marketing")
        assert (await connection.execute(queued)).scalar_one() == 1
    assert await sound(app) == []


async def test_two_erasures_one_after_another_fail_no_batch(
    app: App, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins while the first one is evaded."""
    if dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    for email in (ADA, BOB, EVE):
        await app.subscribe(email)
    bob = await app.subject(BOB)
    vault = app.parts.keystore.vault

    async def fetched_and_then_erased(subjects: Collection[str]) -> Vault:
        keys = await vault(subjects)
        monkeypatch.setattr(app.parts.keystore, "vault", vault)
        assert (await erase(app, email=ADA))[0] == 202
        return keys

    advise = permission.advise
    done = list[int]()

    async def advised_and_then_erased(
        parts: object, connection: AsyncConnection, questions: object, **more: object
    ) -> permission.Advised:
        said = await advise(parts, connection, questions, **more)  # type: ignore[arg-type]
        if more.get("among") is not None:
            done.append((await erase(app, email=BOB))[0])
        return said

    monkeypatch.setattr(app.parts.keystore, "vault", fetched_and_then_erased)
    monkeypatch.setattr(permission, "advise", advised_and_then_erased)
    wanted = [Wanted(question(email), INLINE, "key") for email in (ADA, BOB, EVE)]
    (taken,) = await enqueue.accept_all(app.parts, [Handed(wanted, batch=True)])

    assert done == [202]
    assert isinstance(taken, Done)
    assert [type(one) for one in taken.outcomes] == [Refused, Queued, Queued]
    monkeypatch.undo()
    assert len([mail for mail in await app.deliver() if mail.to == EVE]) == 1
    await run_rules(app)
    assert await sound(app) == []
    async with app.parts.data.read() as connection:
        named = (await connection.execute(select(audit_item.c.subject))).scalars().all()
        queued = (await connection.execute(select(outbox.c.subject))).scalars().all()
    assert bob not in [*named, *queued]
