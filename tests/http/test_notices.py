"""The privacy notice behind a wording, as people and programs read it."""

from __future__ import annotations

import hashlib
import html
import re

import pytest

from gateway.look.notices import notice
from tests.support.apps import App

LANGUAGES = {
    "en": ("Germany", "hands over our mails", "The provider of your mailbox receives", "GDPR"),
    "de": ("Deutschland", "übergibt unsere E-Mails", "Der Anbieter Ihres Postfachs", "DSGVO"),
}


async def named(app: App, language: str) -> str:
    """The hash of the notice in the wording that a form shows."""
    async with app.http.get(f"/forms/signup.json?locale={language}") as answer:
        described = await answer.json()
    return str(described["purposes"][0]["text"]["bundle"]["notice"])


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_notice_behind_a_wording_is_generated_from_the_configuration(
    app: App, language: str
) -> None:
    country, role, receives, law = LANGUAGES[language]

    async with app.http.get(f"/notices/{await named(app, language)}?locale={language}") as page:
        shown = html.unescape(await page.text())

    assert f"<strong>Mail Relay GmbH</strong>, {country}: {role}." in shown
    assert receives in shown
    for sender in ("acme", "other"):
        assert f'href="https://www.{sender}.example/imprint"' in shown
        assert f"<strong>{sender.title()}</strong>" in shown
    (box,) = re.findall(r"<blockquote>.*?</blockquote>", shown, re.DOTALL)
    assert f"Art. 21 {law}" in box
    assert '<a href="http://gateway.example/my-data">' in shown


@pytest.mark.parametrize("language", LANGUAGES)
async def test_its_bytes_are_those_that_the_hash_is_of_without_any_mark(
    app: App, language: str
) -> None:
    digest = await named(app, language)

    async with app.http.get(f"/notices/{digest}?format=markdown") as answer:
        body = await answer.read()

    assert f"sha256:{hashlib.sha256(body).hexdigest()}" == digest
    assert body.decode() == notice(app.parts.config, language)
    assert not re.search(r"[\x00-\x09\x0b-\x1f]|claim\.|\{", body.decode())
