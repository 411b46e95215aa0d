"""By SQL: a purpose that the guard's store does not take keeps nobody else's word from it."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from consent import taken_away
from consent.tables import taking_away, taking_away_due
from consent.taken_away import TakingAway
from storage import bad_rows
from tests.attacks.test_takings_away import BOB, app, leave
from tests.support.apps import ADA, App
from tests.support.gaps import gap
from tests.support.hostile import by_sql

__all__ = ["app"]
pytestmark = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


async def test_a_purpose_that_is_too_long_stops_nobody_elses_withdrawal(
    app: App, dialect: str
) -> None:
    await app.subscribe(ADA)
    await app.subscribe(BOB)
    bob, ada = await app.subject(BOB), await app.subject(ADA)
    await by_sql(
        app,
        "ALTER TABLE consent ALTER purpose TYPE text",
        "ALTER TABLE taking_away_due ALTER purpose TYPE text",
        f"UPDATE consent SET purpose = repeat('x', 1000) WHERE subject = '{bob}'",
    )
    answers = [await leave(app, BOB) for _ in range(3)]
    with gap(app.parts.guard, 1, happened=False):
        assert await leave(app, ADA) == 503

    await app.tell_takings()

    async with app.parts.guard.read() as connection:
        told = set((await connection.execute(select(taking_away.c.subject))).scalars())
    assert answers[-1] == 200
    assert ada in told


async def test_what_the_guards_store_does_not_take_stands_aside(app: App, dialect: str) -> None:
    await app.subscribe(ADA)
    ada = await app.subject()
    async with app.parts.guard.begin() as connection:
        refusing = "ALTER TABLE taking_away ADD CHECK (subject <> 'sub_nobody')"
        await connection.exec_driver_sql(refusing)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    bad = TakingAway(b"\0" * 16, "sub_nobody", None, "consent.withdrawn", at)
    async with app.parts.data.begin() as connection:
        await taken_away.add(connection, app.parts.rows, [bad])
    with gap(app.parts.guard, 1, happened=False):
        assert await leave(app, ADA) == 503

    assert await app.tell_takings() == 1

    async with app.parts.guard.read() as connection:
        assert set((await connection.execute(select(taking_away.c.subject))).scalars()) == {ada}
    async with app.parts.data.read() as connection:
        left = set((await connection.execute(select(taking_away_due.c.eid))).scalars())
        parked = await bad_rows.standing(connection)
    assert left == {bad.eid}
    assert [(one.table, one.rows) for one in parked] == [("taking_away_due", 1)]
