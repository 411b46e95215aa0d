"""A form as it is described: its wordings, and in which language."""

from __future__ import annotations

import html

import pytest

from gateway.people import embedding
from tests.support.apps import App


@pytest.mark.parametrize("locale", ["en", "de"])
async def test_the_hosted_form_and_the_snippet_show_what_their_hashes_cover(
    embedded: App, locale: str
) -> None:
    described = await (await embedded.http.get(f"/forms/signup.json?locale={locale}")).json()
    page = await (await embedded.http.get(f"/forms/signup?locale={locale}")).text()
    snippet = embedding.snippet(embedded.parts.config, "signup", locale)

    for shown in (html.unescape(page), html.unescape(snippet)):
        for one in described["purposes"]:
            bundle = one["text"]["bundle"]
            controller = bundle["controller"]
            assert one["text"]["hash"] in shown
            assert f"/notices/{bundle['notice']}" in shown
            for part in ("title", "text", "withdraw", "imprint_url"):
                assert bundle[part] in shown
            for part in ("name", "postal_address", "contact"):
                assert controller[part] in shown
            assert bundle["sender"]["name"] in shown


@pytest.mark.parametrize(
    ("wanted", "locale"),
    [("de", "de"), ("de-AT", "de"), ("fr", "en"), ("", "en"), ("%00%FF", "en"), ("x" * 2000, "en")],
    ids=["known", "region", "unknown", "empty", "odd", "long"],
)
async def test_an_unknown_language_falls_back_to_the_forms_first(
    embedded: App, wanted: str, locale: str
) -> None:
    async with embedded.http.get(f"/forms/signup.json?locale={wanted}") as answer:
        described = await answer.json()

    assert (answer.status, described["locale"]) == (200, locale)
    assert described["locales"] == ["en", "de"]
