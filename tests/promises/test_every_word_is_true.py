"""What pages and mails say of the gateway is so: each sentence beside its fact."""

from __future__ import annotations

from datetime import timedelta

import pytest

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
