"""Whoever writes rows makes no campaign pass somebody over, go on, or say what it did not do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from audit.entry import Entry, Event, draft, parse
from audit.kinds import Actor, Kind
from consent import gates
from consent.audience import Audience
from consent.tables import consent
from delivery import tables
from delivery.campaigns import Campaign
from gateway.flows.campaigning import launch
from gateway.flows.campaigning.expansion import Expansion
from gateway.flows.campaigning.steering import By, Refusal, Steering
from gateway.flows.proving import campaigns, verify
from tests.support.apps import App, open_app
from tests.support.audit import MOMENT
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
        async def _look(self, campaign: Campaign, whom: Audience, most: int) -> Any:
            seen = await super()._look(campaign, whom, most)
            if await rows_of(app, consent) == before:
                await write(app, insert(consent).values(late))
            return seen

    await launched(app)
    before = await rows_of(app, consent)
    while await Overtaken(stores_of(app.parts)).work_off():
        pass

    assert sorted(mail.to for mail in await app.send_due()) == PEOPLE[1:]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_who_confirms_while_it_begins_is_not_passed_over(app: App) -> None:
    """Their moment is before the start, and they are committed after it."""
    data = app.parts.data
    first, *_ = sorted(await rows_of(app, consent), key=lambda one: one["decided_at"])
    theirs = update(consent).where(consent.c.id == first["id"])
    await write(app, theirs.values(state="pending", decided_at=None))
    expansion = Expansion(stores_of(app.parts))

    async with data.begin() as confirming:
        await gates.lock(confirming, [first["subject"]])
        await confirming.execute(theirs.values(first))
        await launched(app)
        early = [await expansion.work_off() for _ in range(3)]
        made = [one for one in await rows_of(app, tables.outbox) if one["campaign"] is not None]
    while await expansion.work_off():
        pass

    assert (early, made) == ([0, 0, 0], [])
    assert sorted(mail.to for mail in await app.send_due()) == PEOPLE


@SELDOM_ON_BOTH
@pytest.mark.parametrize("how", ["pause", "cancel"])
@pytest.mark.parametrize("put_back", ["messages", "both"])
async def test_what_was_stopped_goes_on_by_no_row(app: App, how: str, put_back: str) -> None:
    """Messages that are set to wait again, and the campaign's own row from before."""
    name = await launched(app)
    await expand(app.parts)
    (before,) = await rows_of(app, tables.campaign)
    stop = steering(app).pause if how == "pause" else steering(app).cancel
    assert not isinstance(await stop(name, BY), Refusal)
    await app.tick()  # the log has it

    outbox, campaign = tables.outbox, tables.campaign
    again = {"status": "queued", "reason": None, "ended_at": None}
    await write(app, update(outbox).where(outbox.c.campaign == name).values(again))
    if put_back == "both":
        await write(app, update(campaign).where(campaign.c.id == name).values(before))

    for _ in range(3):
        assert await mailed(app) == []
        app.step(timedelta(hours=1))
    if put_back == "both":
        # Nobody makes it their own doing either: it stays named.
        assert await steering(app).pause(name, BY) == Refusal.OLD
        assert await steering(app).resend(name, BY) == Refusal.OLD
        assert f"campaign {name}: an old row was put back: the log tells otherwise" in await named(
            app
        )
    elif how == "pause":
        await steering(app).resume(name, BY)
        await app.tick()
        assert await mailed(app) == PEOPLE


async def test_an_ended_campaign_s_old_row_makes_and_tells_nothing(app: App) -> None:
    name = await launched(app)
    await expand(app.parts)
    (before,) = await rows_of(app, tables.campaign)
    assert await mailed(app) == PEOPLE
    await expand(app.parts)
    await app.tick()
    outbox, campaign = tables.outbox, tables.campaign
    await write(
        app,
        delete(tables.attempt),
        delete(tables.permit),
        delete(outbox).where(outbox.c.campaign == name),
        delete(tables.campaign_count),
        update(campaign).values(before | {"made": before["made"]}),
    )

    assert await mailed(app) == []
    assert f"campaign {name}: an old row was put back: the log tells otherwise" in await named(app)


@pytest.mark.parametrize("when", ["before it ends", "behind its end"])
async def test_numbers_that_are_no_longer_those_of_its_messages_are_named(
    app: App, when: str
) -> None:
    """The log tells what a campaign came to, and for ever."""
    name = await launched(app)
    await expand(app.parts)
    assert len(await app.send_due()) == len(PEOPLE)
    if when == "behind its end":
        await expand(app.parts)
        await app.tick()
    assert await named(app) == []
    counted = tables.campaign_count
    await write(app, update(counted).values(status="refused", reason="withdrawn"))

    said = await named(app)
    await expand(app.parts)  # it ends, and the log is told
    await write(app, update(counted).values(status="sent", reason=None))

    assert f"campaign_count {name}: the messages ended otherwise than is counted" in said
    told = f"campaign_count {name}: it came to other numbers than the log tells"
    assert (told in await named(app)) == (when == "before it ends")


@pytest.mark.parametrize("over", [Kind.CAMPAIGN_CANCELLED, Kind.CAMPAIGN_ENDED])
def test_what_went_on_behind_its_end_is_named_for_ever(over: Kind) -> None:
    """Where an old row was put back before the log had the last word."""
    happened = [told(Kind.CAMPAIGN_CREATED), told(over), told(Kind.CAMPAIGN_PAUSED)]

    said = list(campaigns.compare(happened, {}, MOMENT))

    assert "campaign cmp_1: the log tells of states that cannot follow each other" in said


def test_a_whole_life_is_in_order() -> None:
    kinds = (
        Kind.CAMPAIGN_CREATED,
        Kind.CAMPAIGN_PAUSED,
        Kind.CAMPAIGN_RESUMED,
        Kind.CAMPAIGN_ENDED,
        Kind.CAMPAIGN_RESENT,
        Kind.CAMPAIGN_CANCELLED,
        Kind.CAMPAIGN_ENDED,
    )

    assert list(campaigns.compare(map(told, kinds), {}, MOMENT)) == []


def told(kind: Kind) -> Entry:
    event = Event(kind, Actor.OPERATOR, MOMENT, refs={"campaign": "cmp_1"})
    return parse(draft(event, None, "node-1").entry)
