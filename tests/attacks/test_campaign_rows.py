"""Whoever writes rows makes no campaign pass somebody over, go on, or say what it did not do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from audit.kinds import Actor
from consent.audience import Audience
from consent.tables import consent
from delivery.campaigns import Campaign
from gateway.flows.campaigning import launch
from gateway.flows.campaigning.expansion import Expansion
from gateway.flows.campaigning.steering import By, Steering
from gateway.flows.proving import verify
from tests.support.apps import App, open_app
from tests.support.campaigns import expand, order_of, stores_of
from tests.support.databases import Databases

BY = By(Actor.OPERATOR)
PEOPLE = [f"person{number}@example.org" for number in range(4)]
SELDOM_ON_BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    """Four people agreed to the newsletter, one after another."""
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        for one in PEOPLE:
            await opened.subscribe(one)
            opened.step(timedelta(seconds=1))
        yield opened


async def launched(app: App, **more: Any) -> str:
    name = await launch.launch(stores_of(app.parts), order_of("June", **more))
    assert isinstance(name, str)
    return name


def steering(app: App) -> Steering:
    return Steering(stores_of(app.parts), app.parts.permit_wait)


async def mailed(app: App) -> list[str]:
    await expand(app.parts)
    return sorted(mail.to for mail in await app.send_due())


async def rows_of(app: App, table: Any) -> Sequence[dict[str, Any]]:
    async with app.parts.data.read() as connection:
        found = await connection.execute(select(table).order_by(table.c.id))
        return [dict(row) for row in found.mappings()]


async def write(app: App, *statements: Any) -> None:
    async with app.parts.data.begin() as connection:
        for statement in statements:
            await connection.execute(statement)


async def named(app: App) -> list[str]:
    return list((await verify.verify(app.parts)).rows)


@SELDOM_ON_BOTH
async def test_planted_consents_of_one_person_have_nobody_else_passed_over(app: App) -> None:
    first, *_ = sorted(await rows_of(app, consent), key=lambda one: one["decided_at"])
    await write(
        app, *(insert(consent).values(first | {"id": f"{first['id']}{n}"}) for n in range(3))
    )

    await launched(app)

    # Theirs is what no gateway wrote: nothing permits a mail to them.
    assert await mailed(app) == PEOPLE[1:]


async def test_nor_does_one_that_comes_in_while_a_page_is_made(app: App) -> None:
    """Also one of a transaction that began before, and was committed late."""
    first, *_ = sorted(await rows_of(app, consent), key=lambda one: one["decided_at"])
    late = first | {"id": "con_late", "decided_at": first["decided_at"] - timedelta(seconds=1)}

    class Overtaken(Expansion):
        async def _look(self, campaign: Campaign, whom: Audience) -> Any:
            seen = await super()._look(campaign, whom)
            if await rows_of(app, consent) == before:
                await write(app, insert(consent).values(late))
            return seen

    await launched(app)
    before = await rows_of(app, consent)
    while await Overtaken(stores_of(app.parts)).work_off():
        pass

    assert sorted(mail.to for mail in await app.send_due()) == PEOPLE[1:]
