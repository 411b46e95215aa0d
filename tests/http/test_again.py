"""Leaving names what is left, says afterwards what is so, and is undone by the mailbox alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from gateway.flows.leaving import preferences
from gateway.look.translations import translations
from storage.errors import StorageAway
from tests.contract.test_ask_anew import consents
from tests.http.test_people_rights import object_by_letter
from tests.http.test_recipients import NOBODYS, nurture, post, text_of
from tests.promises.test_erased_is_erased import erase
from tests.support.apps import ADA, App, Mail
from tests.support.stops import stops_of

DAY = timedelta(days=1)
YEAR = timedelta(days=365)
SECOND = timedelta(seconds=1)
AGAIN = {"answer": "again"}
NAMED = (
    "With the button you withdraw every consent to these mails: at once, without login, and "
    "without giving a reason."
)
OVER_ALREADY = (
    "No consent to these mails stands at present, so we start none of them. With the button you "
    "can withdraw once more, to be sure."
)
LEFT = (
    "No consent to these mails stands any more. From now on we start none of them, unless you "
    "agree to them anew."
)
MISTAKE = (
    "A mail then asks you to confirm, at the mailbox that we have for this link. None of these "
    "mails is started before you do."
)
DUE = "Because somebody with access to your mailbox agreed to it, in these words:"
OVER = (
    "As things stand this permits no mail: it was withdrawn or has ended, or something else "
    "stands against it. We start no such mail."
)


async def leave(app: App) -> dict[str, str]:
    """Leave by the link of a mail; the token of each of its links, and of "ask me again"."""
    links = await nurture(app)
    status, _ = await post(app, f"/unsubscribe/{links['unsubscribe']}")
    assert status == 200
    app.step(SECOND)
    return links | {"again": links["preferences"]}


async def press(app: App, token: str) -> str:
    status, text = await post(app, f"/again/{token}", data=AGAIN)
    assert status == 200
    return text


async def asked(app: App, token: str) -> list[Mail]:
    """What goes out once somebody pressed "ask me again"."""
    await press(app, token)
    return await app.deliver()


@pytest.mark.parametrize("language", ["en", "de"])
async def test_the_pages_name_what_is_left_and_offer_to_be_asked_again(
    embedded: App, language: str
) -> None:
    app, say = embedded, translations(language).gettext
    links = await nurture(app)
    path = f"/unsubscribe/{links['unsubscribe']}?locale={language}"

    before = await text_of(app, path)
    _, after = await post(app, path)
    reopened = await text_of(app, path)

    assert say(NAMED) in before
    assert say(OVER_ALREADY) not in before
    assert say(OVER_ALREADY) in reopened
    assert say(NAMED) not in reopened
    assert 'method="post"' in reopened  # it may be repeated
    assert say(LEFT) in after
    assert say(MISTAKE) in after
    assert f'action="/again/{links["preferences"]}?locale={language}"' in after
    for page in (before, after, await text_of(app, f"/again/{links['preferences']}")):
        assert ">Newsletter</h2>" in page
        assert "news@acme.example" in page
        assert ADA not in page
    neutral = await text_of(app, f"/unsubscribe/{NOBODYS}?locale={language}")
    assert "Newsletter" not in neutral
    assert "If this link belongs to a consent" in await text_of(app, f"/unsubscribe/{'A' * 43}")
    assert (await erase(app))[0] == 202
    assert await text_of(app, path) == neutral, "it tells more of who is gone than of nobody"
    assert await post(app, path) == await post(app, f"/unsubscribe/{NOBODYS}?locale={language}")


async def test_what_cannot_be_named_is_left_all_the_same(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/unsubscribe/{(await nurture(app))['unsubscribe']}"

    def away(*_: object) -> None:
        raise StorageAway("data")

    monkeypatch.setattr(preferences, "look", away)

    assert "If this link belongs to a consent" in await text_of(app, path)
    status, text = await post(app, path)
    assert (status, await app.permission()) == (200, "withdrawn")
    assert "If this link belongs to a consent, it is withdrawn." in text


async def test_ask_me_again_sends_one_mail_that_asks_and_says_where_it_came_from(app: App) -> None:
    links = await leave(app)
    before = await consents(app)

    (mail,) = await asked(app, links["again"])

    assert mail.to == ADA
    assert b"/unsubscribe/" not in mail.raw
    assert await app.permission() == "pending"
    (again,) = [one for one in await consents(app) if one["id"] not in {o["id"] for o in before}]
    assert again["form"] == "service.ask-again"
    app.step(SECOND)
    await post(app, f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    assert await app.permission() == "granted"
    assert await asked(app, links["again"]) == [], "who agreed is asked nothing"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
        (b"", "application/octet-stream"),
        (b"answer=confirm", "application/x-www-form-urlencoded"),
    ],
    ids=["one click", "empty", "another answer"],
)
async def test_what_a_scanner_posts_asks_nobody(embedded: App, body: bytes, kind: str) -> None:
    app, links = embedded, await leave(embedded)
    headers = {"Content-Type": kind}

    for _ in range(3):
        status, _ = await post(app, f"/again/{links['again']}", data=body, headers=headers)
        assert status in (415, 422)
        for more in (b"&answer=again", b""):
            path = f"/unsubscribe/{links['unsubscribe']}"
            assert (await post(app, path, data=body + more, headers=headers))[0] == 200
        for path in (f"/again/{links['again']}", f"/unsubscribe/{links['unsubscribe']}"):
            await text_of(app, path)

    assert await app.deliver() == []


async def test_after_a_mail_that_nobody_confirms_the_next_ones_are_far_apart(app: App) -> None:
    links, came, today = await leave(app), [], 0
    app.step(7 * DAY)  # mails of the week count, too

    for day in (0, 0, 1, 2, 7, 8, 9, 37, 38, 39):
        app.step(DAY * (day - today))
        today = day
        came += [day] * len(await asked(app, links["again"]))

    assert came == [0, 1, 8, 38]


async def test_who_confirms_and_leaves_again_may_ask_again_at_once(embedded: App) -> None:
    app, links = embedded, await leave(embedded)

    for _ in range(2):
        app.step(4 * DAY)  # mails of the week count, too
        (mail,) = await asked(app, links["again"])
        await post(app, f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
        app.step(SECOND)
        await post(app, f"/unsubscribe/{links['unsubscribe']}")
        app.step(SECOND)

    assert await app.permission() == "withdrawn"


async def not_me(app: App) -> None:
    await app.sign_up()
    (mail,) = await app.deliver()
    await post(app, f"/confirm/{mail.token('confirm')}", data={"answer": "reject"})


async def object_to_it(app: App) -> None:
    await object_by_letter(app, "newsletter")
    app.step(YEAR + DAY)  # the block is over, and the objection stands


async def restrict(app: App) -> None:
    subject = await app.subject()
    assert subject is not None
    await stops_of(app.parts).restrict(subject)


async def stop(app: App) -> None:
    await app.sign_up()
    (mail,) = await app.deliver()
    await post(app, f"/stop/{mail.token('stop')}")


async def be_erased(app: App) -> None:
    assert (await erase(app))[0] == 202


@pytest.mark.parametrize("by", [not_me, object_to_it, restrict, stop, be_erased])
async def test_who_must_not_be_asked_is_not_and_the_answer_is_the_same(
    embedded: App, by: Callable[[App], Awaitable[None]]
) -> None:
    app, links = embedded, await leave(embedded)
    answer = await press(app, NOBODYS)
    await by(app)
    app.step(SECOND)

    assert await press(app, links["again"]) == answer
    await post(app, f"/preferences/{links['again']}", data={"purpose.newsletter": "on"})

    assert await app.deliver() == []


@pytest.mark.parametrize("language", ["en", "de"])
async def test_why_says_what_is_so_now(embedded: App, language: str) -> None:
    app, say = embedded, translations(language).gettext
    links = await nurture(app)
    path = f"/why/{links['why']}?locale={language}"

    async def shown() -> tuple[bool, bool]:
        text = await text_of(app, path)
        assert "Yes, send me the newsletter." in text
        return say(DUE) in text, say(OVER) in text

    given = await shown()
    subject = await app.subject()
    assert subject is not None
    await stops_of(app.parts).restrict(subject)
    restricted = await shown()
    await stops_of(app.parts).lift_restriction(subject)
    lifted = await shown()
    await post(app, f"/unsubscribe/{links['unsubscribe']}")
    left = await shown()
    await object_by_letter(app, "newsletter")
    objected = await shown()
    await be_erased(app)
    erased = await text_of(app, path)

    assert given == lifted == (True, False)
    assert restricted == left == objected == (False, True), "it tells what it was that ended it"
    assert erased == await text_of(app, f"/why/{NOBODYS}?locale={language}")
