"""By SQL, in the data and in the guard's store: takings-away planted, altered, hidden, put back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from audit.tables import audit_payload, audit_pending
from consent.tables import taking_away, taking_away_due
from gateway.flows.proving.verify import verify
from tests.support.apps import ADA, App, open_app
from tests.support.clock import SteppedClock
from tests.support.databases import Databases
from tests.support.gaps import gap

BOB = "bob@example.org"


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, clock=SteppedClock()) as opened:
        yield opened


async def leave(app: App, email: str = ADA) -> int:
    left = {"purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    body = {"to": {"email": email}} | left
    answer = await app.http.post("/v1/withdrawals", json=body, headers=await app.key())
    return answer.status


async def sequence(app: App) -> None:
    async with app.parts.data.begin() as connection:
        await app.parts.log.sequence(connection)
    await app.parts.publisher.publish(app.parts.data, app.parts.guard, app.parts.clock)


async def named(app: App) -> list[str]:
    return list((await verify(app.parts)).rows)


async def guarded(app: App) -> list[Any]:
    async with app.parts.guard.read() as connection:
        return list((await connection.execute(select(taking_away))).all())


async def test_nobody_is_made_to_leave_by_a_planted_row(app: App) -> None:
    await app.subscribe()
    planted = {
        "eid": b"p" * 16,
        "subject": await app.subject(),
        "purpose": None,
        "kind": "consent.withdrawn",
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "kid": 1,
        "mac": b"m" * 32,
    }
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(taking_away_due).values(planted))

    await app.tick()

    assert await guarded(app) == []  # a gateway tells what a gateway wrote
    async with app.parts.guard.begin() as connection:
        await connection.execute(insert(taking_away).values(planted))
    assert {one.partition(" ")[0] for one in await named(app)} == {"taking_away", "taking_away_due"}
    assert await app.permission() == "granted"


async def test_what_is_hidden_from_the_guard_or_in_it_is_named(app: App) -> None:
    await app.subscribe()
    await app.subscribe(BOB)
    assert await leave(app) == 200
    await app.tick()
    (row,) = await guarded(app)
    async with app.parts.guard.begin() as connection:
        await connection.execute(delete(taking_away))
    (gone,) = await named(app)
    assert "the log tells of consent.withdrawn, and its row is gone" in gone
    async with app.parts.guard.begin() as connection:
        await connection.execute(insert(taking_away).values(row._asdict()))
    assert await named(app) == []

    async with app.parts.guard.begin() as connection:
        await connection.execute(update(taking_away).values(purpose="updates"))
    assert any("taking_away" in one for one in await named(app))
    async with app.parts.guard.begin() as connection:
        await connection.execute(update(taking_away).values(purpose="newsletter"))

    with gap(app.parts.guard, 1, happened=False):
        assert await leave(app, BOB) == 503
    await sequence(app)
    assert await named(app) == []  # a duty will tell it
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(taking_away_due))
    await app.tick()
    (gone,) = await named(app)
    assert "its row is gone" in gone


async def test_what_the_log_does_not_tell_of_is_named(app: App) -> None:
    """As after the restore of a backup from before it."""
    await app.subscribe()
    await app.tick()
    assert await leave(app) == 200
    async with app.parts.data.begin() as connection:
        (row,) = await guarded(app)
        await connection.execute(delete(audit_pending).where(audit_pending.c.eid == row.eid))
        await connection.execute(delete(audit_payload).where(audit_payload.c.eid == row.eid))

    assert any("no event in the log tells of consent.withdrawn" in one for one in await named(app))
