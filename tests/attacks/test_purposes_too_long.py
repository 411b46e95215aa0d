"""By SQL: a purpose that the guard's store does not take keeps nobody else's word from it."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

import pytest
from sqlalchemy import select

from consent.tables import taking_away
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

    await app.parts.takings.work_off()

    async with app.parts.guard.read() as connection:
        told = set((await connection.execute(select(taking_away.c.subject))).scalars())
    assert answers[-1] == 200
    assert ada in told
