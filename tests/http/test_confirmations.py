"""The page behind the link of a confirmation mail: what was asked, to correct, and one button."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from consent import gates, tables
from consent.evidence import Confirmed
from consent.model import State
from gateway.callers.api_keys import Scope
from gateway.flows.leaving import preferences
from gateway.flows.rights import overview
from gateway.flows.rights.overview import OwnData
from tests.support.apps import ADA, App, start_app

FROM_NOW_ON = "From now on we may write to you"


async def asked(app: App, *purposes: str, **profile: str) -> str:
    """The token of the mail about a sign-up that said *profile*."""
    wanted = purposes or ("newsletter",)
    body = await app.posted(ADA, *wanted, profile=profile)
    async with app.http.post("/forms/signup", json=body) as answer:
        assert answer.status == 202
    (mail,) = await app.deliver()
    return mail.token("confirm")


async def page(app: App, token: str, language: str = "en") -> str:
    async with app.http.get(f"/confirm/{token}?locale={language}") as answer:
        assert answer.status == 200
        return await answer.text()


async def press(app: App, token: str, said: Any, status: int = 200) -> str:
    async with app.http.post(f"/confirm/{token}", data=said) as answer:
        assert answer.status == status
        return await answer.text()


async def hers(app: App) -> OwnData:
    subject = await app.subject()
    assert subject is not None
    seen = await overview.look(app.parts, subject)
    assert seen is not None
    return seen


async def states(app: App) -> dict[str, State]:
    return {held.consent.purpose: held.state for held in (await hers(app)).consents}


async def proven(app: App) -> list[dict[str, str] | None]:
    """The answers in each proof of a confirmation."""
    await app.tick()
    said = [step.said for held in (await hers(app)).consents for step in held.story]
    return [
        None if s.answers is None else dict(s.answers) for s in said if isinstance(s, Confirmed)
    ]


def field(html: str, name: str) -> str:
    (tag,) = re.findall(rf'<input[^>]*name="profile.{name}"[^>]*>', html)
    (value,) = re.findall('value="([^"]*)"', tag)
    return value


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Entered with this sign-up"), ("de", "Mit dieser Anmeldung eingegeben")],
)
async def test_the_answers_of_a_sign_up_are_shown_to_be_corrected(
    app: App, language: str, words: str
) -> None:
    token = await asked(app, first_name='A<d>"a')

    shown = await page(app, token, language)

    assert words in shown
    assert field(shown, "first_name") == "A&lt;d&gt;&#34;a"


async def test_the_page_speaks_the_language_of_the_mail_unless_another_is_chosen(app: App) -> None:
    body = await app.posted(ADA, "newsletter") | {"locale": "de"}
    assert (await app.http.post("/forms/signup", json=body)).status == 202
    (mail,) = await app.deliver()
    path, browser = f"/confirm/{mail.token('confirm')}", {"Accept-Language": "en"}

    shown = await (await app.http.get(path, headers=browser)).text()
    chosen = await (await app.http.get(f"{path}?locale=en", headers=browser)).text()
    done = await app.http.post(path, data={"answer": "confirm"}, headers=browser)

    assert '<html lang="de"' in shown
    assert '<html lang="en"' in chosen
    assert '<html lang="de"' in await done.text()


async def test_a_sign_up_that_said_nothing_shows_no_fields(app: App) -> None:
    assert "Entered with this sign-up" not in await page(app, await asked(app))


@pytest.mark.parametrize(
    "value",
    [
        "a://b.c",
        "WWW.b.cc",
        "a@b",
        "ev.il/x",
        "\uff57ww.b",
        "a\uff20b",
        "a\u3002bcd",
    ],
    ids=["scheme", "www", "mailbox", "bare", "wide letter", "wide at", "wide dot"],
)
async def test_what_looks_like_an_address_is_shown_empty_and_dropped(app: App, value: str) -> None:
    token = await asked(app, first_name=value)

    shown = await page(app, token)
    assert field(shown, "first_name") == ""
    assert value not in shown
    await press(app, token, {"answer": "confirm"})

    assert ((await hers(app)).profile, await proven(app)) == ({}, [{}])


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({}, {"first_name": "Ada"}),
        ({"profile.first_name": ""}, {}),
        ({"profile.first_name": " \u200b "}, {}),
        ({"profile.first_name": " Eda "}, {"first_name": "Eda"}),
        ({"profile.first_name": "a@b"}, {"first_name": "a@b"}),
        ({"profile.last_name": "Byron", "utm": "x"}, {"first_name": "Ada"}),
    ],
    ids=["as shown", "removed", "unseen", "corrected", "typed anew", "never asked"],
)
async def test_what_becomes_the_persons_is_what_the_mailbox_lets_stand(
    app: App, said: dict[str, str], kept: dict[str, str]
) -> None:
    token = await asked(app, first_name="Ada")

    await press(app, token, {"answer": "confirm"} | said)

    assert ((await hers(app)).profile, await proven(app)) == (kept, [kept])


@pytest.mark.parametrize(
    "said",
    [
        {"profile.first_name": "far too long"},
        {"profile.first_name": "A\x00da"},
        [("profile.first_name", "Ada"), ("profile.first_name", "Eve")],
        {"purpose": "elsewhere"},
        {"purpose": "No name"},
    ],
    ids=["too long", "control", "twice", "another purpose", "no purpose"],
)
async def test_a_correction_that_cannot_be_is_refused_and_nothing_is_confirmed(
    app: App, said: Any
) -> None:
    token = await asked(app, first_name="Ada")
    pairs = list(said.items()) if isinstance(said, dict) else said

    shown = await press(app, token, [("answer", "confirm"), *pairs], 422)

    assert "far too long" not in shown
    assert await app.permission() == "pending"


async def test_of_several_purposes_those_ticked_are_confirmed_and_the_others_rejected(
    app: App,
) -> None:
    token = await asked(app, "newsletter", "updates")
    assert (await page(app, token)).count('type="checkbox"') == 2

    await press(app, token, [("answer", "confirm"), ("purpose", ""), ("purpose", "updates")])
    assert await states(app) == {"newsletter": State.REJECTED, "updates": State.CONFIRMED}
    await press(app, token, {"answer": "confirm", "purpose": "newsletter"})

    assert await states(app) == {"newsletter": State.REJECTED, "updates": State.CONFIRMED}
    await app.sign_up(ADA, "newsletter")
    assert len(await app.deliver()) == 1, 'to leave one out is no "not me": she may be asked again'


async def test_where_no_purpose_is_named_all_are_confirmed(app: App) -> None:
    token = await asked(app, "newsletter", "updates")

    await press(app, token, {"answer": "confirm"})

    assert await states(app) == {"newsletter": State.CONFIRMED, "updates": State.CONFIRMED}


async def test_who_unticks_everything_confirms_nothing_and_is_told(app: App) -> None:
    token = await asked(app, "newsletter", "updates")

    shown = await press(app, token, {"answer": "confirm", "purpose": ""}, 422)

    assert "Nothing was ticked" in shown
    assert await states(app) == {"newsletter": State.PENDING, "updates": State.PENDING}


async def test_who_unticks_everything_types_nothing_twice(app: App) -> None:
    token = await asked(app, "newsletter", "updates", first_name="Ada")

    said = {"answer": "confirm", "purpose": "", "profile.first_name": "Eda"}

    assert field(await press(app, token, said, 422), "first_name") == "Eda"


async def test_one_purpose_has_no_box(app: App) -> None:
    assert 'type="checkbox"' not in await page(app, await asked(app))


async def object_to_it(app: App) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    said = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "letter"}
    async with app.http.post("/v1/withdrawals", json=said, headers=key) as answer:
        assert answer.status == 200


def stopped(why: str) -> Callable[[App], Awaitable[None]]:
    async def stop(app: App) -> None:
        subject = await app.subject()
        assert subject is not None
        async with app.parts.data.begin() as connection:
            held = await gates.lock(connection, [subject])
            await gates.suppress(connection, app.parts.rows, held.values(), why)

    return stop


async def altered(app: App) -> None:
    async with app.parts.data.begin() as connection:
        await connection.execute(update(tables.subject).values(mac=b"another"))


async def newsletter_again(app: App) -> str:
    """Asked for by the mailbox itself, which may ask whatever it said before."""
    app.step(timedelta(seconds=1))  # what was asked up to the moment of a "no" has ended with it
    subject = await app.subject()
    assert subject is not None
    ask = preferences.ask(
        app.parts, subject, ["newsletter"], None, client="my-data", by_mailbox=True
    )
    assert await ask is None
    (mail,) = await app.deliver()
    return mail.token("confirm")


async def test_after_an_objection_the_page_says_that_it_still_stands(app: App) -> None:
    await app.subscribe()
    await object_to_it(app)
    token = await newsletter_again(app)

    before, after = await page(app, token), await press(app, token, {"answer": "confirm"})
    again = await page(app, token)

    assert await app.permission() == "objected"
    for shown in (before, after, again):
        assert "Your objection still stands" in shown
        assert FROM_NOW_ON not in shown
    assert "Ihr Widerspruch gilt weiter" in await page(app, token, "de")


@pytest.mark.parametrize(
    ("stop", "reason", "words"),
    [
        (stopped("complaint"), "suppressed_complaint", "reported as unwanted"),
        (stopped("bounce"), "suppressed_bounce", "refused our mails for good"),
        (altered, "unproven", "As things stand"),
    ],
    ids=["complaint", "bounce", "altered"],
)
async def test_the_page_promises_no_mail_that_is_not_permitted(
    app: App, stop: Callable[[App], Awaitable[None]], reason: str, words: str
) -> None:
    token = await asked(app)
    await stop(app)

    before, after = await page(app, token), await press(app, token, {"answer": "confirm"})

    assert await app.permission() == reason
    for shown in (before, after):
        assert words in shown
        assert FROM_NOW_ON not in shown


async def test_what_is_permitted_and_what_is_not_are_told_apart(app: App) -> None:
    """A purpose that left the configuration is confirmed, and never mailed."""
    token = await asked(app, "newsletter", "updates")
    before = app.parts.config
    left = {name: one for name, one in before.purposes.items() if name != "updates"}
    form = before.forms["signup"].model_copy(update={"purposes": ("newsletter",)})
    forms = {**before.forms, "signup": form}
    changed = before.model_copy(update={"purposes": left, "forms": forms})

    async with start_app(changed, app.parts.clock) as later:
        shown = await press(later, token, {"answer": "confirm"})

    assert FROM_NOW_ON in shown
    assert "These mails are not sent any more." in shown
