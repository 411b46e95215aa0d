"""What pages and mails say of the gateway is so: each sentence beside its fact."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import timedelta

import pytest

from gateway.callers.api_keys import Scope
from gateway.look.translations import translations
from tests.http.test_recipients import NOBODYS, nurture, post, text_of
from tests.support.apps import ADA, App
from tests.support.words import says

LANGUAGES = ["en", "de"]


def said(sentence: str, language: str) -> str:
    """The sentence as it stands on a page in *language*."""
    return translations(language).gettext(sentence)


OVER = (
    "Nobody can confirm by this link any more. A consent already confirmed still stands; "
    "withdraw it here:"
)


@says(
    OVER,
    "A confirmation link works for 72 hours after the sign-up, so that a forgotten mail cannot "
    "sign anybody up later.",
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


@says(IF_IT_BELONGS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_withdrawal_is_said_with_an_if_because_a_link_may_be_nobodys(
    app: App, language: str
) -> None:
    token = (await nurture(app))["unsubscribe"]

    pages = [await post(app, f"/unsubscribe/{one}?locale={language}") for one in (token, NOBODYS)]

    assert pages[0] == pages[1]
    assert said(IF_IT_BELONGS, language) in pages[0][1]
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


@says(
    NO_PIXELS,
    "No hidden images, no rewritten links. Whether you read the letter stays your business.",
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
