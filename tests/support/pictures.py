"""Take the pictures in docs/screenshots, of a real gateway: `python -m tests.support.pictures`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from tests.browser.conftest import Site, open_site
from tests.browser.test_journey import ADA, link, sent

_OUT = Path(__file__).parents[2] / "docs" / "screenshots"
_PHONE = {"width": 390, "height": 780}
_DESK = {"width": 1280, "height": 860}


async def _open(browser: Browser, *, phone: bool = False, dark: bool = False) -> Page:
    return await browser.new_page(
        viewport=_PHONE if phone else _DESK,  # type: ignore[arg-type]  # a TypedDict of playwright's
        color_scheme="dark" if dark else "light",
        locale="en",
    )


async def _take(page: Page, name: str, *, whole: bool = False) -> None:
    await page.wait_for_load_state("networkidle")
    await page.screenshot(path=_OUT / f"{name}.png", full_page=whole)


async def _journey(site: Site, browser: Browser) -> None:
    desk, phone = await _open(browser), await _open(browser, phone=True)
    night = await _open(browser, phone=True, dark=True)
    await desk.goto(f"{site.landing}/?locale=en")
    await desk.locator("consent-form-newsletter").wait_for()
    await _take(desk, "landing")
    await desk.get_by_label("First name").fill("Ada")
    await desk.get_by_label("Email address").fill(ADA)
    await desk.get_by_role("checkbox").check()
    await desk.get_by_role("button", name="Sign up").click()
    await desk.get_by_role("heading", name="Please look into your mailbox").wait_for()
    confirmation = await site.mail(1)
    await desk.goto(f"{site.inbox}/mails/{confirmation.summary.name}")
    await _take(desk, "mail")
    await phone.goto(link(confirmation, "confirm"))
    await _take(phone, "confirm")
    await phone.get_by_role("button", name="Yes, I confirm").click()
    key = site.command("api-key", "create", "--name", "t", "--scope", "messages:send")
    await sent(site, key)
    marketing = await site.mail(2)
    await night.goto(link(marketing, "unsubscribe"))
    await _take(night, "unsubscribe-dark")
    await phone.goto(f"{site.gateway}/my-data")
    await phone.get_by_label("Email address").fill(ADA)
    await phone.get_by_role("button", name="Send me a link").click()
    await phone.goto(link(await site.mail(3), "my-data"))
    await phone.get_by_role("button", name="Open my data").click()
    await _take(phone, "my-data", whole=True)
    await phone.goto(f"{site.gateway}/my-data/why")
    await _take(phone, "proof", whole=True)


async def main() -> None:
    _OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with open_site(Path(folder)) as site, async_playwright() as driver:
            browser = await driver.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            await _journey(site, browser)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
