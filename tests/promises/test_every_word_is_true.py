"""What pages, mails and the notice say of the gateway is so.

`tests/support/words.py` names the sentences that each of these, and others, are for.
"""

from __future__ import annotations

import email
import email.policy
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from consent.tables import suppression
from gateway.callers.api_keys import Scope
from gateway.look.translations import translations
from tests.http.test_legal import paths
from tests.http.test_my_data import fresh_link
from tests.http.test_recipients import NOBODYS, nurture, post, text_of
from tests.support.apps import ADA, App

LANGUAGES = ["en", "de"]


def said(sentence: str, language: str) -> str:
    """The sentence as it stands on a page in *language*."""
    return translations(language).gettext(sentence)


OVER = (
    "Nobody can confirm by this link any more. A consent already confirmed still stands; "
    "withdraw it here:"
)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_was_confirmed_outlives_its_link_and_nothing_else_does(
    app: App, language: str
) -> None:
    confirmed = await app.subscribe(ADA, "newsletter")
    waiting = await app.confirmation(ADA, "updates")
    app.step(timedelta(hours=72))

    for token in (confirmed, waiting):
        shown = await text_of(app, f"/confirm/{token}?locale={language}", 410)
        assert said(OVER, language) in shown
        assert f'href="/my-data?locale={language}"' in shown
        for answer in ("confirm", "reject"):
            status, _ = await post(app, f"/confirm/{token}", data={"answer": answer})
            assert status == 410

    assert await app.permission(ADA, "newsletter") == "granted"
    assert await app.permission(ADA, "updates") == "lapsed"


IF_IT_BELONGS = (
    "If this link belongs to a consent, it is withdrawn. From now on we start no further mail "
    "under it."
)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_withdrawal_is_said_with_an_if_because_a_link_may_be_nobodys(
    app: App, language: str
) -> None:
    token = (await nurture(app))["unsubscribe"]

    pages = [await post(app, f"/unsubscribe/{one}?locale={language}") for one in (token, NOBODYS)]

    assert [status for status, _ in pages] == [200, 200]
    assert [said(IF_IT_BELONGS, language) in text for _, text in pages] == [False, True]
    assert await app.permission() == "withdrawn"


LINK = "https://shop.acme.example/new?id=7"
PICTURE = "https://img.acme.example/new.png"
TRACKED = f"""<p>News: <a href="{LINK}">look</a> <img src="{PICTURE}" width="300" height="200"></p>
<img src="https://count.example/a.gif" width="1" height="1">
<div style="display:none">Preheader<img src="https://count.example/b.gif"></div>"""
NO_PIXELS = (
    "Our mail system adds no tracking pixels or links, and takes out images that are marked as "
    "hidden or as a pixel in size."
)


async def test_no_pixel_leaves_and_no_link_is_rewritten(app: App) -> None:
    await app.subscribe()
    content = {"subject": "News", "html": TRACKED}
    body = {"to": {"email": ADA}, "purpose": "newsletter", "content": content}
    key = await app.key(Scope.MESSAGES_SEND)
    async with app.http.post("/v1/messages", json=body, headers=key) as answer:
        assert answer.status == 202

    (mail,) = await app.deliver()

    shown = email.message_from_bytes(mail.raw, policy=email.policy.default).get_body(("html",))
    assert shown is not None
    page = shown.get_content()
    assert re.findall(r'<img[^>]* src="([^"]*)"', page) == [PICTURE]
    assert "count.example" not in mail.raw.decode()
    links = re.findall(r'href="([^"]*)"', page)
    ours = [one for one in links if one.startswith("http://gateway.example/")]
    legal = ["https://www.acme.example/imprint", "https://www.acme.example/privacy"]
    assert (sorted(set(links) - set(ours)), len(ours)) == (sorted([LINK, *legal]), 3)


async def test_no_page_sets_a_cookie_but_the_opening_of_ones_own(app: App) -> None:
    tokens = await nurture(app)
    link = await fresh_link(app)
    looked = [*paths(), *(f"/{route}/{token}" for route, token in tokens.items())]

    for path in (*looked, f"/my-data/{link}"):
        async with app.http.get(path) as page:
            assert "Set-Cookie" not in page.headers, path
    async with app.http.post(f"/my-data/{link}", allow_redirects=False) as opened:
        (given,) = opened.headers.getall("Set-Cookie")

    assert "Max-Age=1800" in given


async def suppressed(app: App) -> list[timedelta]:
    """How long each keyed checksum of a mailbox stops mails."""
    async with app.parts.data.read() as connection:
        rows = (await connection.execute(select(suppression))).all()
    return [row.until - row.since for row in rows]


@pytest.mark.parametrize(
    ("leave", "left"),
    [
        pytest.param("unsubscribe", 0, id="a plain withdrawal leaves none"),
        pytest.param("object", 1, id="an objection"),
        pytest.param("not me", 1, id="this was not me"),
        pytest.param("stop", 1, id="no such mails"),
    ],
)
async def test_a_checksum_of_the_address_is_left_for_twelve_months_by_whoever_wants_it(
    app: App, leave: str, left: int
) -> None:
    await app.sign_up(ADA)
    (asked,) = await app.deliver()
    await post(app, f"/confirm/{asked.token('confirm')}", data={"answer": "confirm"})
    said = {"to": {"email": ADA}, "channel": "phone", "purpose": "newsletter"}
    kind = "object" if leave == "object" else "withdraw"

    if leave == "not me":
        await post(app, f"/confirm/{asked.token('confirm')}", data={"answer": "reject"})
    elif leave == "stop":
        await post(app, f"/stop/{asked.token('stop')}")
    else:
        body = said | {"kind": kind}
        async with app.http.post("/v1/withdrawals", json=body, headers=await app.key()) as answer:
            assert answer.status == 200

    assert await suppressed(app) == [timedelta(days=365)] * left


async def test_a_mail_goes_only_for_what_was_agreed_to(app: App) -> None:
    await app.subscribe(ADA, "newsletter")
    content = {"subject": "News", "text": "Hello."}
    key = await app.key()

    for purpose, status in (("newsletter", 202), ("updates", 403)):
        body = {"to": {"email": ADA}, "purpose": purpose, "content": content}
        async with app.http.post("/v1/messages", json=body, headers=key) as answer:
            assert answer.status == status

    assert len(await app.deliver()) == 1


async def test_before_a_confirmation_only_mails_that_ask_for_it_go(app: App) -> None:
    for _ in range(5):
        await app.sign_up(ADA)
        app.step(timedelta(minutes=10))
    body = {"to": {"email": ADA}, "purpose": "newsletter", "content": {"subject": "a", "text": "b"}}
    async with app.http.post("/v1/messages", json=body, headers=await app.key()) as answer:
        assert answer.status == 403

    mails = await app.deliver()

    assert 1 < len(mails) <= 3  # of a week; one is kept for who asks from elsewhere
    assert all(b"List-Unsubscribe" not in mail.raw for mail in mails)
    assert all(mail.token("confirm") and mail.token("stop") for mail in mails)
