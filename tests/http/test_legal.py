"""Imprint and privacy policy of whoever mails are on every page (§ 5 DDG, Art. 13 GDPR)."""

from __future__ import annotations

import re

import pytest

from gateway.process import routes
from tests.http.test_my_data import session
from tests.http.test_recipients import NOBODYS, nurture
from tests.support.apps import App

PLACES = [
    f"https://www.{brand}.example/{place}"
    for brand in ("acme", "other")
    for place in ("imprint", "privacy")
]
WORDS = {"en": ("Imprint", "Privacy policy"), "de": ("Impressum", "Datenschutzerklärung")}


def missing(text: str, language: str) -> list[str]:
    """What the foot of a page lacks."""
    named = [brand for brand in ("Acme", "Other") if f"<b>{brand}</b>" not in text]
    links = [one for one in PLACES if f'href="{one}"' not in text]
    return [*named, *links, *(word for word in WORDS[language] if text.count(word) < 2)]


def paths() -> list[str]:
    """Every page that people open, with a token or a name that fits and is nobody's."""
    found = {row.path for row in (*routes.PAGES, *routes.OWN_PAGES) if row.method == "GET"}
    opened = (re.sub(r"\{\w+:?(?:[^{}]|\{[^{}]*\})*\}", NOBODYS, path) for path in found)
    return sorted(path for path in opened if not path.endswith((".json", ".js")))


@pytest.mark.parametrize("language", ["en", "de"])
async def test_every_page_leads_to_imprint_and_privacy_policy_of_every_sender(
    embedded: App, language: str
) -> None:
    headers = {"Accept": "text/html", "Accept-Language": language}

    for path in paths():
        async with embedded.http.get(path, headers=headers) as page:
            text = await page.text()
            assert (page.content_type, missing(text, language)) == ("text/html", []), path


@pytest.mark.parametrize("language", ["en", "de"])
async def test_so_does_the_page_of_what_is_not_there_which_has_a_way_out(
    embedded: App, language: str
) -> None:
    headers = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": language}

    for path in ("/nope", "/confirm/nope/more", "/wp-login.php"):
        async with embedded.http.get(path, headers=headers) as page:
            text = await page.text()
        assert (page.status, page.content_type, missing(text, language)) == (404, "text/html", [])
        async with embedded.http.get(f"/?locale={language}") as start:
            assert (start.status, f'href="/?locale={language}"' in text) == (200, True)


@pytest.mark.parametrize("language", ["en", "de"])
async def test_so_do_the_pages_behind_tokens_and_in_a_session(app: App, language: str) -> None:
    links = [f"/{route}/{token}" for route, token in (await nurture(app)).items()]
    waiting = f"/confirm/{await app.confirmation('bob@example.org')}"
    person = await session(app)
    # The certificate is a file.
    own = [one for one in paths() if one.startswith("/my-data") and NOBODYS not in one]
    assert {"/my-data", "/my-data/pace", "/my-data/rectify", "/my-data/erase"} <= {*own}

    for path in (*links, waiting, *own):
        async with app.http.get(f"{path}?locale={language}", headers=person) as page:
            assert (page.status, missing(await page.text(), language)) == (200, []), path
        if path in own:
            continue
        async with app.http.post(f"{path}?locale={language}", data={"answer": "confirm"}) as page:
            assert missing(await page.text(), language) == [], path


async def test_a_form_names_the_senders_of_its_purposes_alone(embedded: App) -> None:
    async with embedded.http.get("/forms/signup") as page:
        text = await page.text()

    assert 'href="https://www.acme.example/imprint"' in text
    assert "https://www.other.example/" not in text
