"""Holds and restrictions at the desk: placed and lifted, each at the second step alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from audit.kinds import Actor
from consent import holds
from consent.holds import Hold
from gateway.flows.proving.verify import verify
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.holds import Holds
from tests.http.test_dpo import WHY, Sitting, enter_all, sit
from tests.support.apps import App, open_app
from tests.support.databases import Databases

GRACE = "grace@example.org"


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        await enter_all(opened)
        await opened.subscribe()
        yield opened


async def test_an_act_waits_until_it_is_said_how_the_person_asked(app: App) -> None:
    sitting = await sit(app)

    page = await act(sitting, "restrict", sure="yes")

    assert 'id="channel-problem"' in page
    assert " checked" not in page
    assert await app.permission() == "granted"


async def act(sitting: Sitting, what: str, **more: str) -> str:
    """One step of an act for Ada; the page that it is answered with."""
    subject = await sitting.app.subject() or ""
    answer = await sitting.post("/dpo/act", subject=subject, why=WHY, act=what, **more)
    assert answer.status == 200, await answer.text()
    return await answer.text()


async def standing(app: App, subject: str) -> list[Hold]:
    async with app.parts.data.read() as connection:
        return await holds.of_subjects(connection, app.parts.rows, [subject])


async def well(app: App) -> bool:
    await app.tick()
    return (await verify(app.parts)).rows == []


async def test_a_hold_is_placed_and_lifted_each_at_the_second_step(app: App) -> None:
    sitting, subject = await sit(app), await app.subject() or ""
    day = str((app.parts.clock.wall() + timedelta(days=30)).date())
    placing = {"dispute": "file 17", "until": day, "sure": "yes"}

    first = await act(sitting, "hold")
    none = await standing(app, subject)
    placed = await act(sitting, "hold", **placing)
    (hold,) = await standing(app, subject)
    about = await act(sitting, "lift_hold", hold=hold.id)
    (still,) = await standing(app, subject)
    lifted = await act(sitting, "lift_hold", hold=hold.id, sure="yes")

    assert none == [] and still == hold
    assert "an erasure waits until the hold ends" in first
    assert "The hold stands" in placed and "file 17" in placed
    assert "That cannot be undone" in about
    assert "The hold is lifted" in lifted and "Lift the hold …" not in lifted
    assert await standing(app, subject) == []
    assert await app.permission() == "granted"
    assert await well(app)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"dispute": "file 17"}, id="no day"),
        pytest.param({"dispute": "file 17", "until": "2020-01-01"}, id="a day that is over"),
        pytest.param({"until": "2090-01-01"}, id="no dispute"),
    ],
)
async def test_a_hold_without_a_dispute_and_a_day_to_come_is_not_placed(
    app: App, said: dict[str, str]
) -> None:
    sitting, subject = await sit(app), await app.subject() or ""

    page = await act(sitting, "hold", **said, sure="yes")

    assert "Please say which dispute" in page
    assert await standing(app, subject) == []


async def test_a_hold_of_somebody_else_is_not_lifted_from_here(app: App) -> None:
    await app.subscribe(GRACE)
    grace = await app.subject(GRACE) or ""
    until = app.parts.clock.wall() + timedelta(days=30)
    placed = await Holds(Erasing(app.parts)).place(grace, "file 18", until, Actor.OPERATOR)
    sitting = await sit(app)

    page = await act(sitting, "lift_hold", hold=str(placed), sure="yes")

    assert "Nothing was changed" in page
    assert [one.id for one in await standing(app, grace)] == [placed]


async def test_a_restriction_is_lifted_at_the_second_step_and_names_the_operators_way(
    app: App,
) -> None:
    sitting = await sit(app)
    await act(sitting, "restrict", channel="phone", sure="yes")
    restricted = await app.permission()

    first = await act(sitting, "unrestrict")
    between = await app.permission()
    second = await act(sitting, "unrestrict", channel="letter", sure="yes")
    again = await act(sitting, "unrestrict", channel="letter", sure="yes")

    assert [restricted, between, await app.permission()] == ["restricted", "restricted", "granted"]
    assert "mails under it start again" in first
    assert "The restriction is lifted" in second
    assert "Nothing was changed" in again
    assert re.search(r"A restriction was lifted <span class=\"quiet\">\(by an operator\)", second)
    assert await well(app)
