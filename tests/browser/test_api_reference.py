"""`/docs` and the local inbox as people use them: sidebar, search, one call at a time, a phone."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import IN_A_BROWSER, Site
from tests.browser.test_journey import RULES

axe = pytest.importorskip("axe_playwright_python.async_playwright")

pytestmark = IN_A_BROWSER
LINES = "".join(f"<p>{number}</p>" for number in range(100))
LONG = (
    "From: news@acme.example\r\nTo: ada@example.org\r\nSubject: Some thing\r\n"
    "Content-Type: text/html\r\n\r\n"
    f"<html><head></head><body>{LINES}<p>The last line</p></body></html>\r\n"
).encode()
SHORT = LONG.replace(LINES.encode(), b"")
MOMENT = datetime(2026, 11, 27, tzinfo=UTC)
# What the renderer shows in different ways, each with words that stand there once it did.
KINDS_OF_CALL = {
    "overview": "Errors are problem documents",
    "post-/v1/messages": "Queue a message, or be told why not",
    "post-/forms/-form-": "Sign up; the answer is the same for every address",
    "get-/v1/messages": "Your messages, newest first",
}
# In the dark only colours differ.
SCHEMES = {"light": RULES, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}
WIDE, PHONE = {"width": 1360, "height": 860}, {"width": 390, "height": 844}


async def opened(chromium: Any, site: Site, size: dict[str, int], scheme: str) -> Any:
    """A page that fails the test where anything is asked elsewhere, or a policy is broken."""
    context = await chromium.new_context(viewport=size, color_scheme=scheme)
    context.set_default_timeout(60_000)
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
    page = await opened(chromium, site, WIDE, "dark")
    await page.goto(f"{site.gateway}/docs")
    sidebar, shown = page.get_by_role("navigation", name="Every call"), page.locator("rapi-doc")
    await shown.get_by_text("Errors are problem documents").wait_for()
    assert await page.locator("rapi-doc").get_attribute("theme") == "dark"
    await page.emulate_media(color_scheme="light")
    await page.locator('rapi-doc[theme="light"]').wait_for()
    await sidebar.get_by_role("link", name="POST /v1/messages Queue a message").click()
    await shown.get_by_text("Queue a message, or be told why not").wait_for()

    assert await shown.get_by_text("/v1/campaigns", exact=True).count() == 0, "one at a time"
    chosen = sidebar.locator("[aria-current=page]")
    assert await chosen.get_attribute("href") == "#post-/v1/messages"
    asked = await shown.get_by_label("Request body").input_value()
    assert '"email": "ada@example.org"' in asked
    assert await shown.get_by_text("msg_0n6k1d5q2v7p8r9s4t3u1w0x2y").count() >= 1
    await sidebar.get_by_label("Search the calls").fill("holds")
    await sidebar.get_by_role("link", name="GET /v1/audience").wait_for(state="hidden")
    assert await sidebar.get_by_role("link", name="POST /v1/holds").is_visible()
    assert not await sidebar.get_by_role("heading", name="Landing pages").is_visible()
    assert page.heard == []
    await _on_a_phone(chromium, site)


async def _on_a_phone(chromium: Any, site: Site) -> None:
    """Without a sidebar: by a list that is searched."""
    page = await opened(chromium, site, PHONE, "light")
    await page.goto(f"{site.gateway}/docs")
    await page.get_by_text("Every call").click()
    await page.get_by_label("Search the calls").fill("erasures post")
    await page.get_by_role("link", name="POST /v1/erasures").click()
    await page.locator("rapi-doc").get_by_text("/v1/erasures").first.wait_for()

    assert not await page.get_by_label("Search the calls").is_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.heard == []


async def test_the_page_of_the_api_is_accessible(site: Site, chromium: Any) -> None:
    for (scheme, rules), (call, said) in product(SCHEMES.items(), KINDS_OF_CALL.items()):
        page = await opened(chromium, site, WIDE, scheme)
        await page.goto(f"{site.gateway}/docs#{call}")
        await page.locator("rapi-doc").get_by_text(said).first.wait_for()
        for size in (WIDE, PHONE):
            await page.set_viewport_size(size)

            found = (await axe.Axe().run(page, options=rules)).response["violations"]

            wrong = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
            assert (call, scheme, size, wrong) == (call, scheme, size, [])
            assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert page.heard == []
        await page.close()


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


async def test_a_short_mail_leaves_no_empty_frame_in_the_inbox(site: Site, chromium: Any) -> None:
    page = await opened(chromium, site, WIDE, "light")
    site.folder.store(SHORT, MOMENT)
    (name,) = site.folder.names()

    await page.goto(f"{site.inbox}/mails/{name}")

    await page.frame_locator(".mailview").get_by_text("The last line").wait_for()
    await page.wait_for_function("document.querySelector('.mailview').clientHeight < 200")
    await page.get_by_role("button", name="Delete this mail").click()
    await page.get_by_text("No mail yet.").wait_for()


@pytest.mark.parametrize("locale", ["en", "de", "fr"])
async def test_what_the_inbox_searches_is_read_whole_on_a_phone(
    site: Site, chromium: Any, locale: str
) -> None:
    page = await opened(chromium, site, PHONE, "light")
    site.folder.store(SHORT, MOMENT)

    await page.goto(f"{site.inbox}/?locale={locale}")

    field = page.locator("input[type=search]")
    await field.evaluate("one => one.value = one.placeholder")
    wide, seen = await field.evaluate("one => [one.scrollWidth, one.clientWidth]")
    assert wide <= seen
    for name in site.folder.names():
        site.folder.delete(name)


@pytest.mark.parametrize("size", [{"width": w, "height": 800} for w in (1100, 800, 390)])
async def test_the_licence_stands_under_the_title(
    site: Site, chromium: Any, size: dict[str, int]
) -> None:
    page = await opened(chromium, site, size, "light")

    await page.goto(f"{site.gateway}/docs")

    lefts = [await page.locator(one).bounding_box() for one in ("#api-title", "#api-info")]
    assert lefts[0]["x"] == lefts[1]["x"]
