"""`/docs` and the local inbox as people use them: sidebar, search, one call at a time, a phone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import Site

pytestmark = pytest.mark.wide
LINES = "".join(f"<p>{number}</p>" for number in range(100))
LONG = (
    "From: news@acme.example\r\nTo: ada@example.org\r\nSubject: Some thing\r\n"
    "Content-Type: text/html\r\n\r\n"
    f"<html><head></head><body>{LINES}<p>The last line</p></body></html>\r\n"
).encode()
MOMENT = datetime(2026, 11, 27, tzinfo=UTC)
WIDE, PHONE = {"width": 1360, "height": 860}, {"width": 390, "height": 844}


async def opened(chromium: Any, site: Site, size: dict[str, int], scheme: str) -> Any:
    """A page that fails the test where anything is asked elsewhere, or a policy is broken."""
    context = await chromium.new_context(viewport=size, color_scheme=scheme)
    page = await context.new_page()
    page.heard = []
    page.on("console", lambda one: page.heard.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: page.heard.append(str(error)))
    page.on("request", lambda one: page.heard.append(one.url) if strange(one.url, site) else None)
    return page


def strange(url: str, site: Site) -> bool:
    asked = urlsplit(url)
    return asked.scheme not in ("data", "blob") and asked.netloc != urlsplit(site.gateway).netloc


async def test_a_developer_finds_a_call_reads_it_alone_and_sees_examples(
    site: Site, chromium: Any
) -> None:
    for scheme in ("dark", "light"):
        page = await opened(chromium, site, WIDE, scheme)
        await page.goto(f"{site.gateway}/docs")
        await page.locator("nav.nav-bar").get_by_text("/v1/audience", exact=True).wait_for()
        assert await page.locator("rapi-doc").get_attribute("theme") == scheme
    sidebar, shown = page.locator("nav.nav-bar"), page.locator("main.main-content")
    await sidebar.locator('[id="link-post-/v1/messages"]').click()
    await shown.get_by_text("Queue a message, or be told why not").wait_for()

    assert await shown.get_by_text("/v1/campaigns", exact=True).count() == 0, "one at a time"
    asked = await shown.locator("textarea").first.input_value()
    assert '"email": "ada@example.org"' in asked
    assert await shown.get_by_text("msg_0n6k1d5q2v7p8r9s4t3u1w0x2y").count() >= 1
    await sidebar.get_by_placeholder("Filter").fill("holds")
    await sidebar.get_by_placeholder("Filter").press("Enter")
    await sidebar.locator('[id="link-get-/v1/audience"]').wait_for(state="hidden")
    assert await sidebar.locator('[id="link-post-/v1/holds"]').is_visible()
    assert page.heard == []
    await _on_a_phone(chromium, site)


async def _on_a_phone(chromium: Any, site: Site) -> None:
    """Without a sidebar: by a list that is searched."""
    page = await opened(chromium, site, PHONE, "light")
    await page.goto(f"{site.gateway}/docs")
    await page.get_by_text("Every call").click()
    await page.get_by_label("Search the calls").fill("erasures post")
    await page.get_by_role("link", name="POST /v1/erasures").click()
    await page.locator("main.main-content").get_by_text("/v1/erasures").first.wait_for()

    assert not await page.get_by_label("Search the calls").is_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.heard == []


async def test_the_inbox_shows_a_mail_whole_on_a_phone_and_deletes_it(
    site: Site, chromium: Any
) -> None:
    page = await opened(chromium, site, PHONE, "light")
    site.folder.store(LONG, MOMENT)
    (name,) = site.folder.names()

    await page.goto(f"{site.inbox}/?q=thing")
    await page.get_by_role("link", name="Some thing").click()
    frame = page.frame_locator(".mailview")
    await frame.get_by_text("The last line").wait_for()
    await page.wait_for_function("document.querySelector('.mailview').clientHeight > 3000")
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await page.get_by_role("button", name="Delete this mail").click()
    await page.get_by_text("No mail yet.").wait_for()

    assert name not in site.folder.names()
