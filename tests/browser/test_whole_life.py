"""A whole life with one sender, in a browser without scripts, from the form to the certificate.

Every page on the way is looked at by axe, which needs scripts: beside the person it opens
what the person was shown, as it is in front of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from consent.moving import TOLD_BEFORE
from gateway.look.translations import translations
from gateway.smtp.inbox import Mail, read_mail
from tests.browser.conftest import IN_A_BROWSER, Site
from tests.browser.test_journey import (
    ADA,
    DESKTOP,
    PHONE,
    RULES,
    WORDS,
    Visit,
    link,
)

axe = pytest.importorskip("axe_playwright_python.async_playwright")

pytestmark = [*IN_A_BROWSER, pytest.mark.timeout(600)]
NEW: Final = "ada.new@example.net"
FIRST_NAME: Final = {"en": "First name", "de": "Vorname"}  # as the form's configuration has it
_HIDDEN: Final = ("<noscript>", "</noscript>")  # who runs no script sees what is in it


class Life(Visit):
    """One person without scripts, whose pages somebody with scripts looks at."""

    def __init__(self, page: Any, beside: Any, site: Site, locale: str, key: str) -> None:
        super().__init__(page, site, scripts=False)
        self.site = site
        self.say = translations(locale).gettext
        self.locale, self._beside, self._key = locale, beside, key
        self._shown = ""
        self._read: set[str] = set()

    async def watch(self) -> None:
        """Let the one beside be shown what the person was, whatever the address would answer."""
        await self._beside.route("**/*", self._answer)

    async def _answer(self, route: Any) -> None:
        if route.request.is_navigation_request():
            await route.fulfill(body=self._shown, content_type="text/html; charset=utf-8")
        elif route.request.resource_type == "script":
            await route.abort()
        else:
            await route.continue_()

    async def check(self) -> None:
        """As with scripts."""
        assert self.wrong == []
        shown = await self.page.content()
        for tag in _HIDDEN:
            shown = shown.replace(tag, "")
        self._shown = shown
        await self._beside.goto(self.page.url)
        found = (await axe.Axe().run(self._beside, options=RULES)).response["violations"]
        assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == [], self.page.url
        assert await self._beside.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert f'lang="{self.locale}"' in shown[:200], self.page.url

    async def reads(self, *sentences: str) -> None:
        """All of these stand on the page that is shown, which is looked at."""
        for sentence in sentences:
            await self.page.get_by_text(self.say(sentence)).first.wait_for(timeout=60_000)
        await self.check()

    async def presses(self, button: str) -> None:
        await self.press(self.say(button))

    async def follows(self, name: str) -> None:
        await self.press(self.say(name), "link")
        await self.check()

    async def fills(self, label: str, value: str) -> None:
        await self.page.get_by_label(self.say(label)).fill(value)

    async def ticks(self, *choices: str) -> None:
        for choice in choices:
            await self.page.get_by_label(self.say(choice)).check()

    async def saves(self, name: str, role: str = "button") -> bytes:
        """What a button or link hands over as a file."""
        async with self.page.expect_download() as begun:
            await self.page.get_by_role(role, name=self.say(name), exact=True).click()
        saved: bytes = await asyncio.to_thread(Path(await (await begun.value).path()).read_bytes)
        return saved

    async def gets(self, to: str, route: str, seconds: float = 60) -> Mail:
        """The newest mail to a mailbox that nobody read yet, with a link of that kind."""
        async with asyncio.timeout(seconds):
            while (found := self._unread(to, route)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        self._read.add(found.summary.name)
        return found

    def _unread(self, to: str, route: str) -> Mail | None:
        for name in self.site.folder.names():
            raw = self.site.folder.read(name)
            mail = None if raw is None or name in self._read else read_mail(name, raw)
            if mail and mail.summary.recipient == to and f"/{route}/" in (mail.text or ""):
                return mail
        return None

    async def is_mailed(self, to: str = ADA) -> str:
        """The marketing automation hands in a mail; its id."""
        content = {"template": "welcome", "data": {}}
        message = {"to": {"email": to}, "purpose": "newsletter", "content": content}
        status, said = await self.site.call(self._key, "/v1/messages", message)
        assert status == 202, said
        return str(said["message_id"])

    async def state(self, message: str) -> tuple[str, str | None]:
        headers = {"Authorization": f"Bearer {self._key}"}
        async with (
            aiohttp.ClientSession(self.site.gateway, headers=headers) as http,
            http.get(f"/v1/messages/{message}") as answer,
        ):
            said = await answer.json()
        return said["status"], said.get("reason")

    async def permission(self, to: str) -> str:
        asked = {"to": {"email": to}, "purpose": "newsletter"}
        _, said = await self.site.call(self._key, "/v1/permissions", asked)
        return "granted" if said["granted"] else str(said["reason"])

    async def opens_own_pages(self, to: str) -> None:
        """By a link that is sent to the mailbox."""
        await self.fills("Email address", to)
        await self.presses("Send me a link")
        await self.reads("Please look into your mailbox")
        await self.go(link(await self.gets(to, "my-data"), "my-data"))
        await self.presses("Open my data")
        await self.reads("What you agreed to", to)


@asynccontextmanager
async def life(chromium: Any, site: Site, locale: str, size: Any) -> AsyncIterator[Life]:
    scopes = ("--scope", "messages:send", "--scope", "permissions:read")
    key = await asyncio.to_thread(site.command, "api-key", "create", "--name", "t", *scopes)
    screen = {"viewport": size, "locale": locale, "color_scheme": "light"}
    plain = await chromium.new_context(**screen, java_script_enabled=False)
    scripted = await chromium.new_context(**screen)
    for one in (plain, scripted):
        one.set_default_timeout(60_000)
    try:
        opened = Life(await plain.new_page(), await scripted.new_page(), site, locale, key)
        await opened.watch()
        yield opened
    finally:
        await plain.close()
        await scripted.close()


async def begins(me: Life, locale: str) -> Mail:
    """Signs up, confirms, is mailed; the mail."""
    await me.go(f"{me.site.gateway}/forms/newsletter?locale={locale}")
    await me.fills("Email address", ADA)
    await me.page.get_by_label(FIRST_NAME[locale]).fill("Aada")
    await me.page.get_by_role("checkbox").first.check()
    await me.presses("Sign up")
    await me.reads("Please look into your mailbox")
    await me.go(link(await me.gets(ADA, "confirm"), "confirm"))
    await me.reads("Please confirm your sign-up")
    await me.presses("Yes, I confirm")
    await me.reads("Thank you, confirmed")
    await me.is_mailed()
    return await me.gets(ADA, "unsubscribe")


async def pauses(me: Life) -> None:
    """A mail waits for the end of a pause, and the next one for its week."""
    await me.follows("Pause, or fewer mails")
    await me.ticks("For one month from now")
    await me.presses("Save")
    await me.reads("Saved.")
    waiting = await me.is_mailed()
    await me.follows("Back to the overview")
    await me.follows("Pause, or fewer mails")
    await _until(me, waiting, ("deferred", "paused"))
    assert await me.permission(ADA) == "granted", "a pause ends nothing"
    await me.ticks("No pause")
    await me.presses("Save")
    await me.reads("Saved.")
    await me.gets(ADA, "unsubscribe")
    await me.ticks("At most one mail in seven days, whatever it is for")
    await me.presses("Save")
    await me.reads("Saved.")
    await _until(me, await me.is_mailed(), ("deferred", "frequency_cap"))
    await me.follows("Back to the overview")


async def _until(me: Life, message: str, wanted: tuple[str, str]) -> None:
    async with asyncio.timeout(60):
        while await me.state(message) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def takes_along(me: Life) -> None:
    """Everything, to read, to print and for machines."""
    told = json.loads(await me.saves("For machines, with every detail (JSON)"))
    assert ADA in json.dumps(told)
    page = (await me.saves("As a web page (HTML)")).decode()
    assert "Ada Lovelace" in page
    assert me.say("Mails to you, and what allowed each") in page
    assert (await me.saves("To read and print (PDF)")).startswith(b"%PDF-")
    await me.check()


async def corrects(me: Life) -> None:
    """Another name at once; another address once both mailboxes were written to."""
    await me.follows("Correct your details, or change your address")
    await me.page.get_by_label(FIRST_NAME[me.locale]).fill("Ada Lovelace")
    await me.presses("Save")
    await me.reads("Saved.")
    await me.fills("New email address", NEW)
    await me.presses("Ask the new address")
    await me.reads("Another address")
    await me.follows("Back to the overview")
    await takes_along(me)
    await me.go(link(await me.gets(ADA, "address"), "address"))
    await me.reads("Keep this address?")
    asked = await me.gets(NEW, "address", TOLD_BEFORE.total_seconds() + 30)
    await me.go(link(asked, "address"))
    await me.reads("Mails to this address?")
    assert (await me.permission(ADA), await me.permission(NEW)) == ("granted", "unknown")
    await me.presses("Yes, to this mailbox")
    await me.reads("Your address")
    assert (await me.permission(ADA), await me.permission(NEW)) == ("unknown", "granted")
    await me.go(link(await me.gets(ADA, "address"), "address"))
    await me.reads("Keep this address?")


async def leaves_and_comes_back(me: Life, mail: Mail) -> None:
    """By the link of an old mail; the mailbox of now is asked again."""
    await me.go(link(mail, "unsubscribe"))
    await me.presses("Unsubscribe")
    await me.reads("Your withdrawal")
    assert await me.permission(NEW) == "withdrawn"
    await me.presses("Ask me again")
    await me.reads("Please look into your mailbox")
    await me.go(link(await me.gets(NEW, "confirm"), "confirm"))
    await me.presses("Yes, I confirm")
    await me.reads("Thank you, confirmed")
    assert await me.permission(NEW) == "granted"


async def restricts_and_lifts(me: Life) -> None:
    await me.follows("Restrict the use of your data")
    await me.presses("Restrict the use")
    await me.reads("Stored. We start none of these mails any more.")
    assert await me.permission(NEW) == "restricted"
    await me.follows("Back to the overview")
    await me.follows("Restrict the use of your data")
    await me.presses("Lift the restriction")
    await me.reads("The restriction is lifted.")
    assert await me.permission(NEW) == "granted"
    await me.follows("Back to the overview")


async def is_erased(me: Life) -> None:
    """In two steps, with a certificate; afterwards nobody knows the address."""
    await me.follows("Have your data erased")
    await me.presses("Erase my data for good")
    await me.reads("Proof of your consents")
    certificate = json.loads(await me.saves("Save the certificate (JSON)", "link"))
    assert certificate["erasure_id"].startswith("era_")
    assert NEW not in json.dumps(certificate)
    assert (await me.saves("Save the certificate (PDF)", "link")).startswith(b"%PDF-")
    assert await me.permission(NEW) == "unknown"


@pytest.mark.parametrize(
    ("locale", "size"),
    [
        pytest.param("de", PHONE, id="German, phone"),
        pytest.param("en", DESKTOP, id="English, desktop"),
    ],
)
async def test_a_whole_life_from_the_form_to_the_certificate_without_scripts(
    site: Site, chromium: Any, locale: str, size: Any
) -> None:
    async with life(chromium, site, locale, size) as me:
        mail = await begins(me, locale)
        await me.go(link(mail, "why"))
        await me.press(WORDS[locale]["personal"], "link")
        await me.opens_own_pages(ADA)
        await pauses(me)
        await corrects(me)
        await me.go(f"{site.gateway}/my-data")
        await me.opens_own_pages(NEW)
        await restricts_and_lifts(me)
        await leaves_and_comes_back(me, mail)
        await me.go(f"{site.gateway}/my-data")
        await is_erased(me)
