"""What is over a quota waits for its turn, on both databases; confirmations never do."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import accumulate
from pathlib import Path

import pytest
from sqlalchemy import select

from delivery import tables
from gateway.config.config import WarmUp
from gateway.config.durations import Cap
from gateway.flows.campaigning import launch
from gateway.flows.campaigning.expansion import Expansion
from gateway.flows.sending import quotas
from gateway.process.desk import Desk
from gateway.schema.tables import rate_limit
from tests.support.apps import App, open_app
from tests.support.campaigns import expand, order_of, stores_of
from tests.support.databases import Databases
from tests.support.sink import open_sink
from tests.support.waiting import until
from tests.support.workers import working

DOMAINS = ("one.example", "two.example")
PEOPLE = [f"person{number}@{DOMAINS[number % 2]}" for number in range(6)]
HOUR = timedelta(hours=1)
FEWER = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    """Six people agreed, half of them at each of two domains."""
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        for one in PEOPLE:
            assert (await opened.http.post("/forms/signup", json=await opened.posted(one))).ok
        for mail in await opened.deliver():
            path = f"/confirm/{mail.token('confirm')}"
            assert (await opened.http.post(path, data={"answer": "confirm"})).ok
        opened.step(timedelta(seconds=1))
        yield opened


def configured(app: App, *, warm_up: WarmUp | None = None, **relay: Cap) -> None:
    """As if the configuration said so, from here on."""
    config = app.parts.config
    changed = config.delivery.relay.model_copy(update=relay)
    delivery = config.delivery.model_copy(update={"relay": changed, "transport": "relay"})
    acme = config.senders["acme"].model_copy(update={"warm_up": warm_up})
    update = {"delivery": delivery, "senders": {**config.senders, "acme": acme}}
    app.parts = replace(app.parts, config=config.model_copy(update=update))


async def queued(app: App) -> str:
    name = await launch.launch(stores_of(app.parts), order_of("June"))
    assert isinstance(name, str)
    await expand(app.parts)
    return name


async def waits(app: App) -> dict[str, int]:
    """How many messages wait for what."""
    row = tables.outbox.c
    async with app.parts.data.read() as connection:
        found = await connection.execute(select(row.reason).where(row.status == "deferred"))
        return Counter(found.scalars())


async def test_each_domain_gets_as_many_an_hour_and_what_waits_goes_at_its_turn(app: App) -> None:
    configured(app, per_domain=Cap(2, HOUR))
    await queued(app)

    first = await app.send_due()
    waiting = await waits(app)
    early = [mail for _ in range(5) for mail in await app.send_due()]
    app.step(HOUR / 2)
    then = await app.send_due()
    app.step(HOUR / 2)
    last = await app.send_due()

    by_domain = [Counter(one.to.partition("@")[2] for one in some) for some in (first, then, last)]
    assert by_domain == [Counter(dict.fromkeys(DOMAINS, 1))] * 3
    assert (waiting, early) == ({"quota": 4}, [])
    assert Counter(one.to for one in [*first, *then, *last]) == Counter(PEOPLE)
    async with app.parts.data.read() as connection:
        counted = (await connection.execute(select(rate_limit.c.key))).scalars().all()
    assert not any(domain.encode() in key for key in counted for domain in DOMAINS)


@FEWER
async def test_a_turn_that_nobody_took_is_not_made_up_for_and_a_confirmation_waits_for_none(
    app: App,
) -> None:
    configured(app, at_most=Cap(4, HOUR))
    await queued(app)

    first = await app.send_due()
    app.step(10 * HOUR)  # no worker ran
    later = await app.send_due()
    await app.http.post("/forms/signup", json=await app.posted("late@one.example"))
    (asked,) = await app.deliver()

    assert (len(first), len(later)) == (1, 1)
    assert asked.to == "late@one.example"


@FEWER
async def test_a_new_sender_has_a_day_s_messages_waiting_and_no_more(app: App) -> None:
    today = app.parts.clock.wall().date()
    configured(app, warm_up=WarmUp(since=today, first_day=2, growth=2))
    name = await launch.launch(stores_of(app.parts), order_of("June"))
    expansion = Expansion(stores_of(app.parts), partial(quotas.ahead, app.parts.config))

    while await expansion.work_off():
        pass
    row = tables.outbox.c
    async with app.parts.data.read() as connection:
        made = await connection.execute(select(row.id).where(row.campaign == name))

    assert len(made.all()) == 2


async def test_what_comes_behind_the_last_one_that_is_wanted_is_not_counted(app: App) -> None:
    """Else a claim that decides many for the sake of those behind would use up their quotas."""
    configured(app, per_domain=Cap(60, HOUR))  # three at once
    await queued(app)
    desk = Desk(app.parts)
    await desk.register("wrk_x")

    claimed = await desk.claim("wrk_x", 1, most=6)
    waiting = await waits(app)
    rest = await desk.claim("wrk_x", 6)

    assert (len(claimed), claimed.others, waiting) == (1, 0, {})
    assert (len(rest), rest.others) == (5, 0)


async def test_who_is_over_a_quota_with_older_messages_holds_up_no_other_domain(app: App) -> None:
    """Scenario 10 of delivery in small: a worker that begins anew learns how much it may claim."""
    crowded, other = (PEOPLE[n::2] for n in (0, 1))
    configured(app, per_domain=Cap(100, HOUR))
    key = await app.key()
    for _ in range(20):
        await handed_in(app, key, [crowded[n % 3] for n in range(20)])
    app.step(timedelta(seconds=1))
    await handed_in(app, key, other)

    async with open_sink() as sink, working(app, sink) as desk:
        await until(lambda: len(sink.accepted) == 5 + len(other))
        so_far = accumulate(desk.found)
        claims = sum(one < 5 + len(other) for one in so_far) + 1

    assert {one.rcpt_to for one in sink.accepted} >= set(other)
    assert claims <= 15, "it looked at a few of those that wait at a time"
    assert await waits(app) == {"quota": 20 * 20 - 5}


async def handed_in(app: App, key: dict[str, str], to: list[str]) -> None:
    content = {"subject": "News", "text": "Hello."}
    messages = [{"to": {"email": one}, "purpose": "newsletter", "content": content} for one in to]
    answer = await app.http.post("/v1/messages/batch", json={"messages": messages}, headers=key)
    assert {one["status"] for one in (await answer.json())["results"]} == {"queued"}
