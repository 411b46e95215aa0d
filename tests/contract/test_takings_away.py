"""What people took away stands in the guard's store before they are answered, by random ids."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from audit.kinds import Actor
from consent import tables
from gateway.callers.api_keys import Scope
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.proving.verify import verify
from storage.database import Database
from storage.errors import StorageAway
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call
from tests.support.clock import SteppedClock
from tests.support.databases import Databases
from tests.support.gaps import gap
from tests.support.stops import stops_of

DAY = timedelta(days=1)
BOB = "bob@example.org"


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, clock=SteppedClock()) as opened:
        yield opened


async def rows(database: Database, table: Table) -> Sequence[Any]:
    async with database.read() as connection:
        return (await connection.execute(select(table).order_by(table.c.at))).all()


async def told(app: App, subject: str | None = None) -> list[tuple[str, str | None]]:
    """What the guard's store has of somebody, or of all."""
    found = await rows(app.parts.guard, tables.taking_away)
    return [(one.kind, one.purpose) for one in found if subject in (None, one.subject)]


async def due(app: App) -> int:
    return len(await rows(app.parts.data, tables.taking_away_due))


async def doubts(app: App) -> list[str]:
    await app.tick()
    found = await verify(app.parts)
    return [*map(str, found.report.findings), *found.rows]


async def withdraw(app: App, email: str = ADA, **said: Any) -> int:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    body = {"to": {"email": email}, "kind": "withdraw", "channel": "phone"} | said
    return (await call(app, key, "POST", "/v1/withdrawals", body))[0]


async def test_every_taking_away_is_in_the_guards_store_before_its_answer(app: App) -> None:
    key = await app.key(Scope.SUBJECTS_MANAGE)
    token = await app.subscribe(ADA, "newsletter", "updates")
    ada = await app.subject()
    assert ada is not None
    await app.subscribe(BOB)
    bob = await app.subject(BOB)
    assert await told(app) == []  # whoever agrees takes nothing away

    assert await withdraw(app, purpose="newsletter") == 200
    assert await told(app, ada) == [("consent.withdrawn", "newsletter")]
    answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
    assert answer.status == 200
    assert await told(app, ada) == [
        ("consent.withdrawn", "newsletter"),
        ("consent.withdrawn", "updates"),
    ]
    assert await withdraw(app, BOB, all=True, kind="object") == 200
    assert sorted(map(str, await told(app, bob))) == [
        "('consent.objected', None)",
        "('consent.withdrawn', 'newsletter')",
    ]
    status, _ = await call(app, key, "POST", "/v1/erasures", {"subject_id": ada})
    assert status == 202
    assert (await told(app, ada))[2:] == [("subject.erasure_started", None)]

    assert await doubts(app) == []
    assert await due(app) == 0
    assert await withdraw(app, BOB, all=True) == 200  # nothing is left to be told
    assert len(await told(app, bob)) == 2


@pytest.mark.parametrize("happened", [False, True], ids=["did-not-happen", "did-happen"])
async def test_while_the_guard_is_away_it_stands_unanswered_and_repeating_is_safe(
    app: App, happened: bool
) -> None:
    token = await app.subscribe(ADA, "newsletter", "updates")
    subject = await app.subject()

    with gap(app.parts.guard, 1, happened=happened):
        assert await withdraw(app, purpose="newsletter") == 503
    assert await app.permission() == "withdrawn"
    assert await told(app) == [("consent.withdrawn", "newsletter")] * happened
    assert await due(app) == 1
    assert await withdraw(app, purpose="newsletter") == 200
    assert await told(app) == [("consent.withdrawn", "newsletter")]

    with gap(app.parts.guard, 1, happened=happened):
        answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
        assert answer.status == 503
    assert await app.permission(purpose="updates") == "withdrawn"
    await app.tell_takings()  # nobody repeats it: a process died here

    assert await told(app, subject) == [
        ("consent.withdrawn", "newsletter"),
        ("consent.withdrawn", "updates"),
    ]
    assert await due(app) == 0
    assert await doubts(app) == []


async def test_those_who_leave_at_once_share_a_transaction_of_the_guards_store(app: App) -> None:
    withdrawals = Withdrawals(app.parts)
    emails = [f"person{n}@example.org" for n in range(6)]
    for email in emails:
        await app.subscribe(email)
    subjects = [one for email in emails if (one := await app.subject(email)) is not None]

    with gap(app.parts.guard, 1000, happened=True) as counted:
        left = Withdrawal("newsletter", Actor.SUBJECT, "test")
        await asyncio.gather(*(withdrawals.by_subject(one, left) for one in subjects))

    assert len(await told(app)) == len(emails)
    assert counted.count < len(emails)


async def test_it_is_let_go_of_once_no_backup_is_older_and_nobody_misses_it(app: App) -> None:
    await app.subscribe()
    assert await withdraw(app, purpose="newsletter") == 200
    assert await doubts(app) == []
    rule = RetentionRules(app.parts).rules()["takings away"]
    app.step(90 * DAY - timedelta(minutes=1))
    assert await rule() == 0
    app.step(timedelta(minutes=1))

    assert await rule() == 1
    assert await rule() == 0

    (left,) = await rows(app.parts.guard, tables.taking_away)
    assert (left.kind, left.subject) == ("reach", "-")  # how far back it goes, for a restore
    assert await doubts(app) == []
    await app.subscribe(BOB)
    assert await withdraw(app, BOB, purpose="newsletter") == 200
    assert await doubts(app) == []


async def test_a_restriction_is_in_the_guards_store_before_its_answer(app: App) -> None:
    await app.subscribe()
    subject = await app.subject()
    assert subject is not None
    stops = stops_of(app.parts)

    with gap(app.parts.guard, 1, happened=False), pytest.raises(StorageAway):
        await stops.restrict(subject)
    assert await app.permission() == "restricted"
    assert (await told(app), await due(app)) == ([], 1)
    await stops.restrict(subject)

    assert await told(app, subject) == [("subject.restricted", None)]
    assert await doubts(app) == []
