"""Every mail of ours in a real browser, as the worker would hand it over, with nothing loaded."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from gateway.callers.api_keys import Scope
from gateway.look.translations import languages
from tests.browser.conftest import IN_A_BROWSER
from tests.support.apps import ADA, App, open_app
from tests.unit.test_our_mails import OURS, mail

axe = pytest.importorskip("axe_playwright_python.async_playwright")

pytestmark = IN_A_BROWSER
SCREENS = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}
# A mail has no landmarks of its own: inside a webmail's page a second main would mislead.
_OF_PAGES = {rule: {"enabled": False} for rule in ("landmark-one-main", "region")}
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": _OF_PAGES,
}


async def mails(app: App, locale: str) -> dict[str, str]:
    """The HTML of each mail that a person gets, in the order in which they come."""
    body = await app.posted(ADA, "newsletter", "updates", locale=locale)
    body["texts"] = await app.texts("newsletter", "updates", locale=locale)
    await app.http.post("/forms/signup", json=body | {"profile": {"first_name": "Ada"}})
    (confirmation,) = await app.deliver()
    token = confirmation.token("confirm")
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    letter = {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"template": "welcome", "data": {}},
    }
    key = await app.key(Scope.MESSAGES_SEND)
    async with app.http.post("/v1/messages", json=letter, headers=key) as queued:
        assert queued.status == 202
    (welcome,) = await app.deliver()
    await app.http.post("/my-data", data={"email": ADA})
    (own,) = await app.deliver()
    written = {
        name: html(one.raw)
        for name, one in (("confirmation", confirmation), ("welcome", welcome), ("my_data", own))
    }
    left = {name: mail(name, locale, footer=False).html or "" for name in OURS}
    return left | written


def html(raw: bytes) -> str:
    part = message_from_bytes(raw, policy=policy.default).get_body(("html",))
    assert part is not None
    return str(part.get_content())


@pytest.mark.parametrize("locale", languages())
async def test_every_mail_is_accessible_fits_and_loads_nothing(
    chromium: Any, tmp_path: Path, new_database_url: Callable[[str], str], locale: str
) -> None:
    async with open_app(tmp_path, new_database_url, "sqlite") as app:
        written = await mails(app, locale)

    for screen, viewport in SCREENS.items():
        for scheme in ("light", "dark"):
            page = await chromium.new_page(viewport=viewport, color_scheme=scheme)
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            for name, shown in written.items():
                which = (name, locale, screen, scheme)
                await page.set_content(shown)
                found = await axe.Axe().run(page, options=RULES)
                wrong = [
                    (v["id"], [n["html"] for n in v["nodes"]]) for v in found.response["violations"]
                ]
                width = await page.evaluate("document.documentElement.scrollWidth")
                assert (which, wrong) == (which, [])
                assert width <= viewport["width"], which
            assert asked == []
            await page.close()
