"""Campaigns from their order to their counts, on both databases, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from audit.kinds import Actor
from consent.audience import Audience
from consent.keys.tables import content_key
from delivery import tables, tally
from delivery.desk import Ended
from delivery.outcome import Ending, Phase
from delivery.permits import Spending
from gateway.flows.campaigning import expansion, launch, reach, standing
from gateway.flows.campaigning.expansion import Expansion
from gateway.flows.campaigning.standing import Standing
from gateway.flows.campaigning.steering import By, Refusal, Steering
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving import verify
from gateway.flows.restoring import campaigns as restoring
from gateway.flows.restoring import ending
from gateway.process import duties
from gateway.process.desk import Desk
from storage.errors import StorageAway
from tests.support.apps import App, open_app
from tests.support.calls import call
from tests.support.campaigns import expand, order_of, stores_of
from tests.support.databases import Databases
from tests.support.gaps import gap
from tests.support.stops import stops_of

PEOPLE = [f"person{number}@example.org" for number in range(5)]
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
BY = By(Actor.OPERATOR)


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    """Five people agreed to the newsletter, one of them in German, each with an answer."""
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        for number, one in enumerate(PEOPLE):
            await sign_up(opened, one, "de" if number == 0 else "en", f"name{number % 2}")
        for mail in await opened.deliver():
            token = mail.token("confirm")
            answer = await opened.http.post(f"/confirm/{token}", data={"answer": "confirm"})
            assert answer.status == 200
        opened.step(SECOND)
        yield opened


async def sign_up(app: App, email: str, locale: str, name: str) -> None:
    texts = await app.texts("newsletter", locale=locale)
    body = await app.posted(email, profile={"first_name": name}, locale=locale, texts=texts)
    answer = await app.http.post("/forms/signup", json=body)
    assert answer.status == 202, await answer.text()


async def launched(app: App, **more: Any) -> str:
    name = await launch.launch(stores_of(app.parts), order_of("June", **more))
    assert isinstance(name, str)
    return name


async def stands(app: App, name: str) -> Standing:
    found = await standing.look(stores_of(app.parts), name)
    assert found is not None
    return found


async def verified(app: App) -> list[str]:
    found = await verify.verify(app.parts)
    return [*found.rows, *(one.text for one in found.report.findings)]


async def test_a_campaign_goes_to_everyone_stands_still_in_a_pause_and_counts_what_it_came_to(
    app: App,
) -> None:
    key = await app.key()
    body = {"purpose": "newsletter", "content": {"subject": "June", "text": "Hello."}}
    body |= {"reference": "june"}

    _, dry = await call(app, key, "POST", "/v1/campaigns", body | {"dry_run": True})
    status, made = await call(app, key, "POST", "/v1/campaigns", body)
    path = f"/v1/campaigns/{made['campaign_id']}"
    await expand(app.parts)
    _, paused = await call(app, key, "POST", f"{path}/pause")
    in_the_pause = await app.send_due()
    await call(app, key, "POST", f"{path}/resume")
    await expand(app.parts)
    mails = await app.send_due()
    await expand(app.parts)
    _, seen = await call(app, key, "GET", path)
    _, listed = await call(app, key, "GET", "/v1/campaigns")
    _, audience = await call(app, key, "GET", "/v1/audience?purpose=newsletter")
    late, _ = await call(app, key, "POST", f"{path}/pause")

    assert dry == {"recipients": 5, "refused": {}}
    assert status == 202
    assert (paused["status"], paused["counts"], in_the_pause) == ("paused", {"paused": 5}, [])
    assert Counter(mail.to for mail in mails) == Counter(PEOPLE)
    assert all(b"\r\nFeedback-ID: cmp_" in mail.raw for mail in mails)
    assert (seen["status"], seen["counts"], seen["reference"]) == ("done", {"sent": 5}, "june")
    assert [one["campaign_id"] for one in listed["campaigns"]] == [made["campaign_id"]]
    assert audience["permitted"] == 5
    assert late == 409
    assert await verified(app) == []


@pytest.mark.parametrize("page", [1, 5])
async def test_an_audience_that_fills_its_last_page_is_mailed_and_over(
    app: App, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(expansion, "_PAGES", dict.fromkeys(("sqlite", "postgresql"), page))
    name = await launched(app)

    await expand(app.parts)
    mails = await app.send_due()
    await expand(app.parts)

    assert Counter(mail.to for mail in mails) == Counter(PEOPLE)
    assert (await stands(app, name)).campaign.ended_at is not None
    assert await verified(app) == []


async def test_the_audience_is_narrowed_by_language_answers_and_the_moment_of_confirmation(
    app: App,
) -> None:
    stores, now = stores_of(app.parts), app.parts.clock.wall()
    some = {
        "german": Audience(locales=frozenset({"de"})),
        "named": Audience(profile={"first_name": frozenset({"name1"})}),
        "later": Audience(since=now + DAY),
        "earlier": Audience(until=now),
    }

    found = {
        name: await reach.reach(stores, order_of("x", audience=one), lambda: True)
        for name, one in some.items()
    }
    campaigns = {name: await launched(app, audience=one) for name, one in some.items()}
    await expand(app.parts)
    made = {name: (await stands(app, one)).campaign.made for name, one in campaigns.items()}

    assert made == {"german": 1, "named": 2, "later": 0, "earlier": 5}
    assert {name: one.recipients for name, one in found.items()} == made


async def test_the_answers_of_who_restricted_their_use_are_not_opened_for_a_campaign(
    app: App,
) -> None:
    """Art. 18(2) GDPR: they are stored, and that is all. To everybody it refuses them, unread."""
    subject = await app.subject(PEOPLE[1])
    assert subject is not None
    await stops_of(app.parts).restrict(subject)
    stores, named = stores_of(app.parts), Audience(profile={"first_name": frozenset({"name1"})})

    narrowed = await reach.reach(stores, order_of("x", audience=named), lambda: True)
    whole = await reach.reach(stores, order_of("x"), lambda: True)
    made = await launched(app, audience=named)
    await expand(app.parts)

    assert (narrowed.recipients, dict(narrowed.refused)) == (1, {})
    assert (whole.recipients, dict(whole.refused)) == (4, {"restricted": 1})
    assert (await stands(app, made)).campaign.made == 1


async def test_who_left_is_refused_when_it_is_their_turn_and_who_is_erased_is_counted_so(
    app: App,
) -> None:
    key = await app.key()
    name = await launched(app)
    await expand(app.parts)
    left = {"to": {"email": PEOPLE[1]}, "purpose": "newsletter", "kind": "withdraw"}
    await call(app, key, "POST", "/v1/withdrawals", left | {"channel": "phone"})
    await call(app, key, "POST", "/v1/erasures", {"email": PEOPLE[2]})
    rules = RetentionRules(app.parts).rules()
    await rules["erasures"]()
    mails = await app.send_due()
    await expand(app.parts)
    seen = await stands(app, name)

    assert Counter(one.to for one in mails) == Counter([PEOPLE[0], PEOPLE[3], PEOPLE[4]])
    assert seen.campaign.state == "done"
    assert seen.counts == {"sent": 3, "refused": 2}
    assert seen.refused == {"withdrawn": 1, "erased": 1}
    assert await verified(app) == []


@pytest.mark.parametrize("happened", [False, True])
async def test_a_step_that_is_lost_skips_nobody_and_writes_to_nobody_twice(
    app: App, happened: bool
) -> None:
    name = await launched(app)
    expansion = Expansion(stores_of(app.parts))

    with gap(app.parts.data, 1, happened=happened), suppress(StorageAway):
        await expansion.work_off()
    await expand(app.parts)
    mails = await app.send_due()
    async with app.parts.data.read() as connection:
        recounted = await tally.recounted(connection, name)

    assert Counter(one.to for one in mails) == Counter(PEOPLE)
    assert recounted == {("sent", None): 5}
    assert (await stands(app, name)).counts == {"sent": 5}


async def test_what_is_put_off_while_its_campaign_stands_still_stands_still_too(app: App) -> None:
    name = await launched(app)
    await expand(app.parts)
    desk = Desk(app.parts)
    await desk.register("wrk_test")
    parcels = await desk.claim("wrk_test", 2)
    app.step(timedelta(minutes=5))  # their permits are over
    steering = Steering(stores_of(app.parts), app.parts.permit_wait)
    await steering.pause(name, BY)
    await desk.take_back("wrk_test", [])
    paused = (await stands(app, name)).counts
    await steering.resume(name, BY)
    await expand(app.parts)

    assert len(parcels) == 2
    assert paused == {"paused": 5}
    assert Counter(one.to for one in await app.send_due()) == Counter(PEOPLE)


async def test_a_campaign_whose_people_are_gone_since_its_pause_is_over(app: App) -> None:
    key = await app.key()
    name = await launched(app)
    await expand(app.parts)
    steering = Steering(stores_of(app.parts), app.parts.permit_wait)
    await steering.pause(name, BY)
    await expand(app.parts)
    waiting = (await stands(app, name)).campaign.state
    for person in PEOPLE:
        status, _ = await call(app, key, "POST", "/v1/erasures", {"email": person})
        assert status == 202
    await expand(app.parts)
    found = await stands(app, name)

    assert waiting == "paused"
    assert found.campaign.state == "done"
    assert found.campaign.ended_at is not None
    assert await steering.resume(name, BY) is Refusal.STANDS_OTHERWISE
    assert await verified(app) == []


async def test_what_may_have_arrived_is_sent_again_once_when_somebody_asks_for_it(
    app: App,
) -> None:
    name = await launched(app)
    await expand(app.parts)
    first = await broken_off(app, 1)
    await app.send_due()
    await expand(app.parts)
    seen = await stands(app, name)
    steering = Steering(stores_of(app.parts), app.parts.permit_wait)

    resent = await steering.resend(name, BY)
    second = await broken_off(app, 1)
    alone = await app.send_due()
    again = await steering.resend(name, BY)
    (third,) = await app.send_due()
    await expand(app.parts)

    assert seen.counts == {"sent": 4, "uncertain": 1}
    assert seen.campaign.state == "done"
    assert (resent, again, alone) == (1, 1, [])
    assert first == second == [message_id(third.raw)]
    assert (await stands(app, name)).counts == {"sent": 5}
    assert await verified(app) == []


async def broken_off(app: App, count: int) -> list[bytes]:
    """Let the relay vanish past the final dot of some mails; their Message-IDs."""
    desk, owner = Desk(app.parts), "wrk_broken"
    await desk.register(owner)
    ids, ended = [], []
    for one in await desk.claim(owner, count):
        composed = await desk.compose(one)
        assert composed is not None
        spending = Spending(one.permit, one.message, one.attempt)
        assert await desk.spend(owner, [spending]) == {one.permit}
        ended.append(Ended(one, Ending(Phase.DOT), composed.digest))
        ids.append(message_id(composed.envelope.data))
    assert not await desk.settle(owner, ended)
    return ids


def message_id(raw: bytes) -> bytes:
    return next(line for line in raw.splitlines() if line.startswith(b"Message-ID:"))


@pytest.mark.parametrize("more", [{}, {"again": 1}], ids=["as it was", "as if asked for"])
async def test_whoever_sets_an_uncertain_message_back_has_it_sent_no_second_time(
    app: App, more: dict[str, int]
) -> None:
    name = await launched(app)
    await expand(app.parts)
    await broken_off(app, 1)
    await app.send_due()
    row = tables.outbox.c
    async with app.parts.data.begin() as connection:
        waits = {"status": "queued", "ended_at": None} | more
        these = update(tables.outbox).where(row.campaign == name, row.status == "uncertain")
        await connection.execute(these.values(waits))

    mails = await app.send_due()

    assert mails == []
    assert any("outbox" in one for one in await verified(app))


async def test_what_is_cancelled_ends_so_is_told_and_nothing_of_it_is_sent(app: App) -> None:
    name = await launched(app)
    await expand(app.parts)
    steering = Steering(stores_of(app.parts), app.parts.permit_wait)

    became = await steering.cancel(name, BY)
    await expand(app.parts)
    seen = await stands(app, name)

    assert not isinstance(became, Refusal)
    assert await app.send_due() == []
    assert (seen.campaign.state, seen.counts) == ("cancelled", {"cancelled": 5})
    assert seen.campaign.ended_at is not None
    assert await steering.resume(name, BY) is Refusal.STANDS_OTHERWISE
    assert await verified(app) == []


async def test_so_many_an_hour_are_due_one_after_another(app: App) -> None:
    name = await launched(app, per_hour=60)
    await expand(app.parts)

    first = len(await app.send_due())
    app.step(timedelta(minutes=2))
    then = len(await app.send_due())

    assert (first, then) == (1, 2)
    assert (await stands(app, name)).campaign.made == 5


async def test_what_it_said_goes_with_its_key_and_the_numbers_a_year_later(app: App) -> None:
    name = await launched(app)
    await expand(app.parts)
    await app.send_due()
    await expand(app.parts)

    app.step(timedelta(days=31))
    await run_rules(app)
    assert (await stands(app, name)).counts == {"sent": 5}
    assert await count(app, tables.content) == 0
    async with app.parts.key_database.read() as connection:
        assert (
            await connection.execute(select(func.count()).select_from(content_key))
        ).scalar() == 0
    app.step(timedelta(days=366))
    await run_rules(app)

    assert await count(app, tables.campaign) == 0
    assert await count(app, tables.campaign_count) == 0
    assert await verified(app) == []


async def run_rules(app: App) -> None:
    for _ in range(3):
        for run in RetentionRules(app.parts).rules().values():
            while await run():
                pass
        await duties.sweep(app.parts)


async def count(app: App, table: Any) -> int:
    async with app.parts.data.read() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


async def test_a_restored_backup_sends_nobody_a_second_time(app: App) -> None:
    """What was under way at the backup may have been sent since; what was to come is asked for."""
    parts = app.parts
    begun = await launched(app)
    await expand(parts)
    to_come = await launched(app, starts_at=parts.clock.wall() + DAY)

    await ending.end_all(parts.data, parts.keystore, parts.clock, parts.rows, parts.log)
    await restoring.end_all(parts.data, parts.clock, parts.rows, parts.log)
    app.step(2 * DAY)
    await expand(parts)

    assert await app.send_due() == []
    assert (await stands(app, begun)).counts == {"uncertain": 5}
    assert (await stands(app, begun)).campaign.state == "cancelled"
    assert (await stands(app, to_come)).campaign.state == "paused"


@pytest.mark.parametrize("how", ["copied", "content", "audience", "state", "put back"])
async def test_whoever_writes_rows_has_nothing_sent_and_is_named(app: App, how: str) -> None:
    name = await launched(app)
    if how == "put back":
        earlier = await row_of(app, name)
        steering = Steering(stores_of(app.parts), app.parts.permit_wait)
        await steering.cancel(name, BY)
        await write(app, name, earlier)
    elif how == "copied":
        row = await row_of(app, name)
        async with app.parts.data.begin() as connection:
            await connection.execute(insert(tables.campaign).values(row | {"id": "cmp_copy"}))
        await expand(app.parts)
        await app.send_due()
    elif how == "state":
        steering = Steering(stores_of(app.parts), app.parts.permit_wait)
        await steering.pause(name, BY)
        await write(app, name, {"state": "scheduled"})
    elif how == "audience":
        await write(app, name, {"audience": b"nobody's"})
    else:
        async with app.parts.data.begin() as connection:
            await connection.execute(
                update(tables.content).where(tables.content.c.key.is_not(None)).values(sealed=b"x")
            )

    named = await verified(app)
    await expand(app.parts)
    mails = await app.send_due()

    assert mails == [] or how == "put back"
    assert any("campaign" in one for one in named), named


async def row_of(app: App, name: str) -> dict[str, Any]:
    async with app.parts.data.read() as connection:
        query = select(tables.campaign).where(tables.campaign.c.id == name)
        return dict((await connection.execute(query)).mappings().one())


async def write(app: App, name: str, values: dict[str, Any]) -> None:
    async with app.parts.data.begin() as connection:
        these = tables.campaign.c.id == name
        await connection.execute(update(tables.campaign).where(these).values(values))
