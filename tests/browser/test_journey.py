"""What a person does, in a real browser against a real gateway, from the form to their own data."""

from __future__ import annotations

import asyncio
import itertools
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.smtp.inbox import Mail
from tests.browser.conftest import IN_A_BROWSER, Site

axe = pytest.importorskip("axe_playwright_python.async_playwright")

pytestmark = IN_A_BROWSER
ADA = "ada@example.org"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
WORDS = {
    "en": {
        "email": "Email address",
        "sign_up": "Sign up",
        "tick": "Please tick what you would like to receive.",
        "mailbox": "Please look into your mailbox",
        "confirm": "Yes, I confirm",
        "confirmed": "Thank you, confirmed",
        "unsubscribe": "Unsubscribe",
        "unsubscribed": "Your withdrawal",
        "again": "Ask me again",
        "personal": "have a personal link sent to your mailbox",
        "send": "Send me a link",
        "open": "Open my data",
        "overview": "What you agreed to",
        "proof": "Wordings and proof",
        "back": "Back to the overview",
        "change": "Change what you receive",
        "off": "Off",
        "save": "Save",
        "close": "Close my pages",
    },
    "de": {
        "email": "E-Mail-Adresse",
        "sign_up": "Anmelden",
        "tick": "Bitte kreuzen Sie an, was Sie erhalten möchten.",
        "mailbox": "Bitte sehen Sie in Ihr Postfach",
        "confirm": "Ja, ich bestätige",
        "confirmed": "Danke, Ihre Anmeldung ist bestätigt",
        "unsubscribe": "Abmelden",
        "unsubscribed": "Ihr Widerruf",
        "again": "Fragen Sie mich noch einmal",
        "personal": "lassen Sie sich einen persönlichen Link in Ihr Postfach senden",
        "send": "Link zusenden",
        "open": "Meine Daten öffnen",
        "overview": "Worin Sie eingewilligt haben",
        "proof": "Wortlaut und Nachweis",
        "back": "Zurück zur Übersicht",
        "change": "Ändern, was Sie erhalten",
        "off": "Aus",
        "save": "Speichern",
        "close": "Meine Seiten schließen",
    },
}


class Visit:
    """One person's browser; everything that went wrong in it is kept."""

    def __init__(self, page: Any, site: Site, scripts: bool) -> None:
        self.page = page
        self.wrong: list[str] = []
        self.scripts = scripts
        self.release = asyncio.Event()
        self._own = {urlsplit(url).netloc for url in (site.gateway, site.landing, site.inbox)}
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", self._on_request)

    def allow(self, url: str) -> None:
        """One more place that a page may load from."""
        self._own.add(urlsplit(url).netloc)

    def _on_console(self, message: Any) -> None:
        # A page with a status of 4xx is reported too; that is an answer, and no fault.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.wrong.append(f"console: {message.text}")

    def _on_request(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc not in self._own:
            self.wrong.append(f"loads from {parts.netloc}")

    async def check(self) -> None:
        """The page in front of the person is accessible, fits, and did nothing odd."""
        assert self.wrong == []
        if not self.scripts:
            return
        found = (await axe.Axe().run(self.page, options=RULES)).response["violations"]
        assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == [], self.page.url
        assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    async def go(self, url: str) -> None:
        await self.page.goto(url)
        await self.check()

    async def press(self, name: str, role: str = "button") -> None:
        await self.page.get_by_role(role, name=name, exact=True).first.click()

    async def sees(self, text: str) -> None:
        await self.page.get_by_text(text).first.wait_for(timeout=60_000)
        await self.check()


@asynccontextmanager
async def visit(
    chromium: Any, site: Site, locale: str = "en", size: Any = DESKTOP, *, scripts: bool = True
) -> AsyncIterator[Visit]:
    context = await chromium.new_context(
        viewport=size, locale=locale, java_script_enabled=scripts, color_scheme="light"
    )
    context.set_default_timeout(60_000)
    try:
        yield Visit(await context.new_page(), site, scripts)
    finally:
        await context.close()


def link(mail: Mail, route: str) -> str:
    found = re.search(rf"http://\S+/{route}/[A-Za-z0-9_-]+", mail.text or "")
    assert found is not None, f"no {route} link"
    return found[0]


def every_link(mail: Mail) -> list[str]:
    """Each address in a mail, of its text, its HTML part and its header."""
    header = "\n".join(value for _, value in mail.fields)
    found = re.findall(r"https?://[^\s\"'<>]+", f"{mail.text}\n{mail.html}\n{header}")
    return sorted({one.replace("&amp;", "&") for one in found})


async def sent(site: Site, key: str) -> None:
    """The marketing automation sends a mail."""
    content = {"template": "welcome", "data": {"first_name": "Ada"}}
    message = {"to": {"email": ADA}, "purpose": "newsletter", "content": content}
    status, _ = await site.call(key, "/v1/messages", message)
    assert status == 202


async def sign_up(person: Visit, site: Site, locale: str) -> None:
    """Fill in the landing page's form, the first time without the tick."""
    words, page = WORDS[locale], person.page
    await person.go(f"{site.landing}/?locale={locale}")
    if person.scripts:
        await page.locator("consent-form-newsletter").wait_for()
        await page.get_by_label(words["email"]).fill(ADA)
        await person.press(words["sign_up"])
        await person.sees(words["tick"])
    await page.get_by_label(words["email"]).fill(ADA)
    await page.get_by_role("checkbox").first.check()
    await person.press(words["sign_up"])
    await person.sees(words["mailbox"])


async def confirm(person: Visit, mail: Mail, locale: str) -> None:
    words = WORDS[locale]
    await person.go(link(mail, "confirm"))
    await person.press(words["confirm"])
    await person.sees(words["confirmed"])


@pytest.mark.parametrize(
    ("locale", "size", "scripts"),
    [
        pytest.param("en", PHONE, True, id="English, phone, scripts"),
        pytest.param("en", DESKTOP, False, id="English, desktop, no scripts"),
        pytest.param("de", DESKTOP, True, id="German, desktop, scripts"),
        pytest.param("de", PHONE, False, id="German, phone, no scripts"),
    ],
)
async def test_a_person_signs_up_reads_looks_into_their_data_and_leaves(
    site: Site, chromium: Any, locale: str, size: Any, scripts: bool
) -> None:
    words = WORDS[locale]
    key = await asyncio.to_thread(
        site.command, "api-key", "create", "--name", "t", *_scopes("messages:send")
    )
    async with visit(chromium, site, locale, size, scripts=scripts) as person:
        await sign_up(person, site, locale)
        await confirm(person, await site.mail(1), locale)
        await sent(site, key)
        marketing = await site.mail(2)
        await person.go(link(marketing, "why"))
        await person.press(words["personal"], "link")
        await person.page.get_by_label(words["email"]).fill(ADA)
        await person.press(words["send"])
        await person.sees(words["mailbox"])
        await person.go(link(await site.mail(3), "my-data"))
        await person.press(words["open"])
        await person.sees(words["overview"])
        await person.sees(ADA)
        await person.press(words["proof"], "link")
        await person.sees(words["back"])
        await person.press(words["back"], "link")
        await person.press(words["change"], "link")
        await person.check()
        assert await site.granted(key, ADA)
        await person.page.get_by_label(words["off"]).first.check()
        await person.press(words["save"])
        await person.check()
        assert not await site.granted(key, ADA)
        await person.press(words["back"], "link")
        await person.press(words["close"])
        await person.page.get_by_label(words["email"]).wait_for()
        await person.go(link(marketing, "unsubscribe"))
        await person.press(words["unsubscribe"])
        await person.sees(words["unsubscribed"])
        await person.check()
        await person.press(words["again"])
        await person.sees(words["mailbox"])
        await confirm(person, await site.mail(4), locale)
        assert await site.granted(key, ADA)


async def test_a_browser_that_runs_scripts_opens_every_link_and_nothing_changes(
    site: Site, chromium: Any
) -> None:
    key = await asyncio.to_thread(
        site.command,
        *("api-key", "create", "--name", "t"),
        *_scopes("messages:send", "permissions:read", "audit:read"),
    )
    async with visit(chromium, site) as person:
        await sign_up(person, site, "en")
        confirmation = await site.mail(1)
        assert await _scan(chromium, site, key, confirmation) == {"confirm", "notices", "stop"}
        assert not await site.granted(key, ADA), "a scanner confirmed"
        await confirm(person, confirmation, "en")
        await sent(site, key)
        marketing = await site.mail(2)
        opened = await _scan(chromium, site, key, confirmation, marketing)
        assert opened == {"confirm", "notices", "stop", "unsubscribe", "why", "preferences"}
        assert await site.granted(key, ADA), "a scanner unsubscribed, or said that it was not them"
        await person.go(f"{site.gateway}/my-data")
        await person.page.get_by_label(WORDS["en"]["email"]).fill(ADA)
        await person.press(WORDS["en"]["send"])
        fresh = await site.mail(3)
        opened = await _scan(chromium, site, key, confirmation, marketing, fresh)
        shown = {"confirm", "notices", "stop", "unsubscribe", "why", "preferences"}
        assert opened == shown | {"my-data"}
        assert await site.granted(key, ADA), "a scanner unsubscribed"
        await person.go(link(fresh, "my-data"))
        await person.press(WORDS["en"]["open"])
        await person.sees(WORDS["en"]["overview"])
        await person.go(link(marketing, "unsubscribe"))
        await person.press(WORDS["en"]["unsubscribe"])
        await person.sees(WORDS["en"]["unsubscribed"])
        assert not await site.granted(key, ADA)


async def test_no_page_shows_itself_inside_another(site: Site, chromium: Any) -> None:
    """Clickjacking: a button of ours under somebody's picture would be pressed by mistake."""
    async with visit(chromium, site) as person:
        await sign_up(person, site, "en")
    confirmation = link(await site.mail(1), "confirm")
    paths = [f"/unsubscribe/{'A' * 22}", f"/preferences/{'A' * 22}", "/my-data"]
    urls = [confirmation, *(site.gateway + path for path in (*paths, "/forms/newsletter"))]
    async with visit(chromium, site) as caught:
        for url, way in itertools.product(urls, ("iframe src", "object data", "embed src")):
            async with caught.page.expect_response(url):
                await caught.page.set_content(f'<{way}="{url}" width=900 height=900>')
            await caught.page.wait_for_load_state("networkidle")

            shown = [await one.content() for one in caught.page.frames[1:]]
            assert not any("<main" in one for one in shown), (url, way)


async def _scan(chromium: Any, site: Site, key: str, *mails: Mail) -> set[str]:
    """Open each link as a careful link scanner does, scripts and all, and wait until all is calm.

    What the log holds before is what it holds after. Which pages were opened.
    """
    before = await _consent_events(site, key)
    found = {url for mail in mails for url in every_link(mail)}
    links = sorted(url for url in found if url.startswith(site.gateway))
    async with visit(chromium, site) as scanner:
        for url in links:
            await scanner.page.goto(url, wait_until="networkidle")
            await scanner.page.keyboard.press("Tab")
            await scanner.page.mouse.wheel(0, 2000)
            await scanner.check()
    assert await _consent_events(site, key) == before
    return {urlsplit(url).path.split("/")[1] for url in links}


def count(site: Site, table: str) -> int:
    """How many rows the gateway's own database has there."""
    file = site.config.parent / "var" / "gateway.db"
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 ours


async def _consent_events(site: Site, key: str) -> list[str]:
    """What the log holds about people, once everything that was staged has its place."""
    headers = {"Authorization": f"Bearer {key}"}
    async with asyncio.timeout(60):
        while await asyncio.to_thread(count, site, "audit_pending"):  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.05)
    async with (
        aiohttp.ClientSession(site.gateway, headers=headers) as http,
        http.get("/v1/audit/events?limit=1000") as answer,
    ):
        events = (await answer.json())["events"]
    watched = ("consent.", "subject.", "suppression.")
    return [one["event_id"] for one in events if one["kind"].startswith(watched)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_demo_around_it_is_accessible_too(site: Site, chromium: Any, scheme: str) -> None:
    async with visit(chromium, site, size={"width": 320, "height": 700}) as person:
        await person.page.emulate_media(color_scheme=scheme)
        await person.go(site.inbox)
        await sign_up(person, site, "en")
        mail = await site.mail(1)
        await person.go(f"{site.landing}/thanks?locale=de")
        await person.go(f"{site.inbox}/?locale=de")
        await person.go(f"{site.inbox}/mails/{mail.summary.name}")
        await person.go(f"{site.gateway}/forms/newsletter?locale=de")
        await person.go(f"{site.gateway}/docs/text")


def _scopes(*names: str) -> list[str]:
    return [word for name in (*names, "permissions:read") for word in ("--scope", name)]
