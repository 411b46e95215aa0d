"""A flood that came first has all of the week's mails: what it said becomes nobody's."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from audit.tables import audit_payload
from consent import address
from consent.keys.tables import limit_key
from consent.model import State
from consent.tables import confirmation_count
from gateway.flows.joining import contested
from gateway.flows.leaving import preferences
from gateway.flows.rights.overview import Held
from tests.attacks.test_strangers_first import (
    EVERYWHERE,
    FORMS,
    HER,
    HER_NETWORK,
    HER_PAGE,
    IPV4,
    THEIR_PAGE,
    THEIR_WORD,
    ask,
    confirmed,
    press,
    profile,
    proofs,
    requested,
    she_asks,
    shown,
    they_flood,
)
from tests.attacks.test_turn_of_the_week import sunday
from tests.support.apps import App, Mail, open_app
from tests.support.bundles import check_here, files_of

ELSEWHERE = "192.0.2.99"
ADA = {"first_name": "Ada"}
TYPED = {"profile.first_name": "Ada"}
EVERYWHERE_IPV6 = "2a02:{:x}::1"  # each at another provider, too
FROM_HOME = pytest.mark.parametrize(
    "network", [HER_NETWORK, ELSEWHERE], ids=["from home", "from elsewhere"]
)


@pytest.fixture
async def app(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, limits=True, more=FORMS) as opened:
        yield opened


async def the_confirmed(app: App) -> Held:
    (held,) = [held for held in await proofs(app) if held.state is State.CONFIRMED]
    return held


def nothing_of_theirs(text: str) -> None:
    assert THEIR_WORD not in text
    assert "tulpen" not in text.lower()


async def flooded(app: App, requests: int = 12, provider: str = EVERYWHERE) -> list[Mail]:
    """The week's mails, all of which strangers had sent."""
    mails = await they_flood(app, range(1, requests + 1), 200, provider)
    assert len(mails) == 3
    return mails


async def own_session(app: App) -> dict[str, str]:
    """What her browser sends once she opened her own pages by a fresh link to her mailbox."""
    async with app.http.post("/my-data", data={"email": HER}) as asked_for:
        assert asked_for.status == 200
    (mail,) = await app.deliver()
    link = f"/my-data/{mail.token('my-data')}"
    async with app.http.post(link, allow_redirects=False) as opened:
        return {"Cookie": opened.headers["Set-Cookie"].partition(";")[0]}


@pytest.mark.parametrize(
    ("requests", "provider"),
    [
        (3, EVERYWHERE),
        (60, EVERYWHERE_IPV6),
        pytest.param(1000, EVERYWHERE, marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
async def test_nothing_of_a_flood_that_came_first_becomes_hers(
    app: App, requests: int, provider: str
) -> None:
    mails = await flooded(app, requests, provider)
    await she_asks(app)
    assert await app.deliver() == [], "the week's mails are theirs"

    page = await shown(app, mails[-1])
    await press(app, mails[-1], said=TYPED)
    await they_flood(app, range(1, 4), 200, provider)

    assert await app.permission(HER) == "granted"
    nothing_of_theirs(page)
    assert 'name="profile.first_name" value=""' in page
    assert "so nothing that was entered with it is shown or kept" in page
    held = await the_confirmed(app)
    assert held.contested
    assert confirmed(held).contested
    assert confirmed(held).answers == ADA
    nothing_of_theirs(str([step.said.facts() for step in held.story]))
    assert [step.kind.value for step in held.story] == ["consent.mail_sent", "consent.confirmed"]
    assert await profile(app) == ADA


@FROM_HOME
async def test_her_own_link_proves_her_own_request_from_home_only(app: App, network: str) -> None:
    """Flooded before and after: from elsewhere nobody knows her from those who flood."""
    before = await they_flood(app, range(1, 7), 7, IPV4)
    await she_asks(app)
    (hers,) = await app.deliver()
    assert len(before) == 2
    assert await they_flood(app, range(8, 14), 200, EVERYWHERE) == []

    page = await shown(app, hers, network)
    await press(app, hers, network)

    at_home = network == HER_NETWORK
    assert await app.permission(HER) == "granted"
    assert ('value="Ada"' in page) is at_home
    held = await the_confirmed(app)
    assert held.contested is not at_home
    assert await profile(app) == (ADA if at_home else {})
    if at_home:
        assert (requested(held).page_url, requested(held).profile) == (HER_PAGE, ADA)


async def test_who_asks_again_and_again_keeps_what_she_said_wherever_she_confirms(
    app: App,
) -> None:
    sunday(app, timedelta(minutes=2))
    for _ in range(4):
        await she_asks(app)
        await app.tick()
        app.step(timedelta(minutes=1))
    hers, _ = await app.deliver()

    await press(app, hers, ELSEWHERE)

    held = await the_confirmed(app)
    assert not held.contested
    assert (requested(held).page_url, confirmed(held).answers) == (HER_PAGE, ADA)


async def test_what_the_mailbox_itself_asks_for_is_its_own_anywhere(app: App) -> None:
    theirs, *_ = await they_flood(app, range(1, 7), 7, IPV4)
    await press(app, theirs, said=TYPED)
    name = await app.subject(HER)
    assert name is not None

    asked = ["updates"]
    await preferences.ask(app.parts, name, asked, HER_NETWORK, client="my-data", by_mailbox=True)
    (hers,) = await app.deliver()
    await press(app, hers, ELSEWHERE)

    told = {held.consent.purpose: held.contested for held in await proofs(app) if held.story}
    assert told["updates"] is False
    assert (await app.permission(HER, "updates")) == "granted"


async def test_of_what_strangers_asked_for_nothing_is_ticked(app: App) -> None:
    for number in (1, 2, 3, 4):
        both = await app.posted(HER, "newsletter", "updates")
        await ask(app, "signup", both, EVERYWHERE.format(number))
    theirs, another, _ = await app.deliver()

    page = await shown(app, theirs)
    assert " checked>" not in page
    assert "so nothing is ticked yet" in page
    assert "Nothing was ticked" in await press(app, theirs, status=422)
    await press(app, theirs, said={"purpose": "newsletter"})

    assert await app.permission(HER) == "granted"
    states = {(held.consent.purpose, held.state) for held in await proofs(app) if held.contested}
    assert states == {("newsletter", State.CONFIRMED)}
    assert await app.permission(HER, "updates") == "pending", "in two other requests"
    assert "ticked" not in await shown(app, another), "there is one left, and its button"
    await press(app, another)
    assert await app.permission(HER, "updates") == "granted"


@FROM_HOME
async def test_the_turn_of_the_week_makes_no_stranger_of_her(app: App, network: str) -> None:
    sunday(app, timedelta(minutes=1))
    await she_asks(app)
    (hers,) = await app.deliver()
    await they_flood(app, range(8, 14), 200, EVERYWHERE)
    app.step(timedelta(minutes=2))

    await press(app, hers, network)

    assert (await the_confirmed(app)).contested is (network != HER_NETWORK)


async def test_without_the_keys_nothing_of_theirs_is_shown_and_not_me_still_works(
    app: App,
) -> None:
    sunday(app, timedelta(minutes=1))
    theirs, *_ = await flooded(app, 3)
    app.step(timedelta(minutes=2))
    async with app.parts.key_database.begin() as connection:
        await connection.execute(update(limit_key).values(epoch=99))

    nothing_of_theirs(await shown(app, theirs))
    await press(app, theirs, status=503)
    await press(app, theirs, said={"answer": "reject"})

    assert await app.permission(HER) == "pending", "two other requests wait still"


async def test_a_flood_leaves_one_row_a_day_that_says_so(app: App) -> None:
    await flooded(app, 30)
    app.step(timedelta(days=1, minutes=1))
    await they_flood(app, range(31, 61), 200, EVERYWHERE)

    weekly = [secret for _, secret in await app.parts.keystore.limit_keys(app.parts.clock.wall())]
    keys = contested.without_mail(weekly, address.parse(HER))
    query = select(func.count()).where(confirmation_count.c.address_key.in_(keys))
    async with app.parts.data.read() as connection:
        assert (await connection.execute(query)).scalar_one() == 2


async def test_the_proof_says_why_it_is_without_the_request(app: App) -> None:
    first, *_ = await flooded(app, 4)
    await press(app, first)
    cookie = await own_session(app)

    for language, words in (
        ("en", "the confirmation did not visibly come from where this request was made"),
        ("de", "die Bestätigung kam nicht erkennbar von dort"),
    ):
        path = f"/my-data/why?locale={language}"
        async with app.http.get(path, headers=cookie) as page:
            text = await page.text()
        (item,) = [one for one in text.split("<li>") if words in one]
        nothing_of_theirs(item)
        assert "form" not in item.partition("</dl>")[0].lower()
        assert THEIR_PAGE in text, "the requests that nobody confirmed are told of as they were"
    assert (await the_confirmed(app)).contested
    assert confirmed(await the_confirmed(app)).answers == {}, "who types nothing has said nothing"
    assert await profile(app) == {}


async def test_the_file_for_machines_is_without_what_strangers_said(app: App) -> None:
    first, *_ = await flooded(app, 3)
    await she_asks(app)
    await app.deliver()
    await press(app, first, said=TYPED)
    cookie = await own_session(app)
    async with app.http.get("/my-data", headers=cookie) as page:
        token = re.findall(r'name="csrf" value="([^"]+)"', await page.text())[0]
    form = {"csrf": token, "format": "json"}
    async with app.http.post("/my-data/export", data=form, headers=cookie) as answer:
        held = json.loads(await answer.read())

    (consent,) = [one for one in held["consents"] if one["contested"]]
    nothing_of_theirs(str(consent))
    assert (consent["requested_at"], consent["form"]) == (None, None)
    asked = {
        one["facts"]["consent"]: one["facts"]
        for one in held["events"]
        if one["kind"] == "consent.requested"
    }
    facts = asked.pop(consent["consent_id"])
    assert facts.keys() == {"consent", "purpose", "text"}
    assert asked, "the requests that nobody confirmed are told of as they were"
    assert THEIR_PAGE in str(asked)
    # So it stays in what the log gives of her, opened: that there was a request is said, no more.
    await app.tick()
    key = await app.key() | {"Access-Reason": "case 17"}
    async with app.http.post("/v1/audit/export", json={"email": HER}, headers=key) as taken:
        raw = await taken.read()
    assert check_here(raw, app.parts.publisher.vkey)[0]
    lines = [json.loads(line) for line in files_of(raw)["openings.jsonl"].splitlines()]
    facts = [json.loads(b64decode(one["opened"])[32:]) for one in lines if "opened" in one]
    assert [one["why"] for one in lines if "opened" not in one] == ["withheld"]
    theirs = [one for one in facts if one.get("consent") == consent["consent_id"]]
    assert theirs
    nothing_of_theirs(str(theirs))


async def test_nothing_of_a_flood_is_shown_though_what_tells_of_it_is_deleted(app: App) -> None:
    """By SQL: the facts of her confirmation, which said that the request may be somebody else's."""
    first, *_ = await flooded(app, 3)
    await she_asks(app)
    await app.deliver()
    await press(app, first, said=TYPED)
    kept = (await the_confirmed(app)).consent
    async with app.parts.data.begin() as connection:
        away = delete(audit_payload).where(audit_payload.c.eid == kept.eid)
        assert (await connection.execute(away)).rowcount == 1

    held = await the_confirmed(app)

    assert held.contested
    nothing_of_theirs(str([step.said.facts() for step in held.story]))
    async with app.http.post("/my-data", data={"email": HER}) as asked_for:
        assert asked_for.status == 200
    (mail,) = await app.deliver()
    async with app.http.post(f"/my-data/{mail.token('my-data')}") as page:
        nothing_of_theirs(await page.text())
