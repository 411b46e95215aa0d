"""A sign-up for purposes of two senders names both, wherever somebody agrees to something."""

from __future__ import annotations

import email
import email.policy
import html
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.people import embedding
from tests.support.apps import ADA, App, Mail, open_app

_TWO = """
[purposes.second]
sender = "other"
basis = "consent"
title = { en = "Second letter", de = "Zweiter Brief" }
text = { en = "Yes, the second letter too.", de = "Ja, auch den zweiten Brief." }

[forms.both]
purposes = ["newsletter", "second"]
"""
WHO = {"en": "mails from Acme and Other", "de": "E-Mails von Acme und Other"}


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "sqlite", more=_TWO) as opened:
        yield opened


async def described(app: App, language: str) -> list[dict[str, Any]]:
    answer = await app.http.get(f"/forms/both.json?locale={language}")
    return [one["text"] for one in (await answer.json())["purposes"]]


async def asked(app: App, language: str) -> Mail:
    body = {
        "email": ADA,
        "purposes": ["newsletter", "second"],
        "texts": [one["hash"] for one in await described(app, language)],
        "locale": language,
    }
    async with app.http.post("/forms/both", json=body) as answer:
        assert answer.status == 202
    (mail,) = await app.deliver()
    return mail


def parts(mail: Mail) -> Iterator[str]:
    read = email.message_from_bytes(mail.raw, policy=email.policy.default)
    for part in read.walk():
        if part.get_content_maintype() == "text":
            yield html.unescape(part.get_content())


def leaves(bundle: dict[str, Any]) -> Iterator[str]:
    """What a hash covers, as far as people read it: purpose and language are for machines."""
    for key, value in bundle.items():
        if isinstance(value, dict):
            yield from value.values()
        elif key not in ("purpose", "locale"):
            yield value


@pytest.mark.parametrize("language", ["en", "de"])
async def test_hosted_page_and_snippet_show_everything_that_each_hash_covers(
    app: App, language: str
) -> None:
    page = await (await app.http.get(f"/forms/both?locale={language}")).text()
    snippet = embedding.snippet(app.parts.config, "both", language)

    for shown in (html.unescape(page), html.unescape(snippet)):
        for text in await described(app, language):
            assert [one for one in leaves(text["bundle"]) if one not in shown] == []


@pytest.mark.parametrize("language", ["en", "de"])
async def test_mail_and_confirmation_page_name_each_sender_with_imprint_and_notice(
    app: App, language: str
) -> None:
    mail = await asked(app, language)
    page = await (await app.http.get(f"/confirm/{mail.token('confirm')}?locale={language}")).text()

    for shown in (*parts(mail), html.unescape(page)):
        for text in await described(app, language):
            bundle = text["bundle"]
            notice = f"/notices/{bundle['notice']}"
            wanted = (bundle["text"], bundle["sender"]["name"], bundle["imprint_url"], notice)
            assert [one for one in wanted if one not in " ".join(shown.split())] == []
            async with app.http.get(notice) as served:
                assert served.status == 200
    for part in parts(mail):
        assert WHO[language] in " ".join(part.split())


async def test_a_mail_of_one_sender_names_that_one_once(app: App) -> None:
    await app.sign_up(ADA, "newsletter", "updates")
    (mail,) = await app.deliver()

    assert all("mails from Acme. Please" in " ".join(part.split()) for part in parts(mail))
