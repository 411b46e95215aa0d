"""People who click twice, reload, go back and try again, in a real browser: taken once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.browser.conftest import IN_A_BROWSER, Site
from tests.browser.test_journey import ADA, DESKTOP, PHONE, WORDS, Visit, count, link, visit

pytestmark = IN_A_BROWSER
EN = WORDS["en"]


async def requests(site: Site) -> int:
    """How many sign-ups were taken, when all that waited were worked off."""
    async with asyncio.timeout(60):
        while await asyncio.to_thread(count, site, "intake"):  # noqa: ASYNC110 another process works
            await asyncio.sleep(0.05)
    return await asyncio.to_thread(count, site, "consent")


async def fill(person: Visit) -> Any:
    """Type and tick; the button."""
    await person.page.get_by_label(EN["email"]).fill(ADA)
    await person.page.get_by_role("checkbox").first.check()
    return person.page.get_by_role("button", name=EN["sign_up"], exact=True)


async def proof(site: Site, person: Visit, mail: int) -> str:
    """What her own page tells of how the sign-up was made."""
    await person.go(link(await site.mail(mail), "my-data"))
    await person.press(EN["open"])
    await person.press(EN["proof"], "link")
    return str(await person.page.get_by_role("main").inner_text())


async def ask_for_data(site: Site, person: Visit) -> None:
    await person.go(f"{site.gateway}/my-data")
    await person.page.get_by_label(EN["email"]).fill(ADA)
    await person.press(EN["send"])
    await person.sees(EN["mailbox"])


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_our_page_clicked_twice_and_reloaded(site: Site, chromium: Any, size: Any) -> None:
    async with visit(chromium, site, size=size) as person:
        await person.go(f"{site.gateway}/forms/newsletter?locale=en")
        button = await fill(person)
        await button.dblclick()
        await person.sees(EN["mailbox"])
        await person.page.reload()  # posts once more what was posted
        await person.sees(EN["mailbox"])
        assert await requests(site) == 1

        await person.page.go_back()
        assert await person.page.get_by_label(EN["email"]).input_value() == ADA
        await person.press(EN["sign_up"])
        await person.sees(EN["mailbox"])
        assert await requests(site) == 1

        await ask_for_data(site, person)
        told = await proof(site, person, 2)
        assert told.count("Our own page showed the wording.") == 1
        assert "operator says" not in told


async def test_our_script_that_lost_its_answer_and_met_a_503(site: Site, chromium: Any) -> None:
    async with visit(chromium, site) as person:
        met: list[str] = []

        async def stand_in_the_way(route: Any) -> None:
            if route.request.method != "POST" or len(met) > 1:
                await route.continue_()
            elif met:
                await route.fetch()  # taken, and nobody is told
                met.append("lost")
                await route.abort()
            else:
                met.append("503")
                await route.fulfill(status=503, headers={"Access-Control-Allow-Origin": "*"})

        await person.page.route("**/forms/newsletter", stand_in_the_way)
        await person.go(f"{site.landing}/?locale=en")
        await person.page.locator("consent-form-newsletter").wait_for()
        button = await fill(person)
        for _ in range(2):
            await button.dblclick()
            await person.page.get_by_role("alert").filter(has_text="again").wait_for()
        await button.dblclick()
        await person.sees(EN["mailbox"])

        assert met == ["503", "lost"]
        assert await requests(site) == 1
        await ask_for_data(site, person)
        told = await proof(site, person, 2)
        assert told.count("Our script showed the wording.") == 1
        assert "operator says" not in told
