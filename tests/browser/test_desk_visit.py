"""Whoever answers for the data, in a real browser: from the mailbox to what came by phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.browser.conftest import IN_A_BROWSER, Site, open_site
from tests.browser.test_journey import ADA, DESKTOP, PHONE, Visit, confirm, link, sign_up, visit

pytestmark = IN_A_BROWSER
DPO = "privacy@acme.example"
WORDS = {
    "en": {
        "email": "Email address",
        "send": "Send me a link",
        "open": "Open the desk",
        "why": "Why you look",
        "look": "Look up",
        "story": "What happened",
        "paper": "Prove this consent: paper (PDF) Newsletter, 1",
        "withdraw": "Record a withdrawal … Newsletter, 1",
        "before": "How the person asked",
        "sure": "Record a withdrawal",
        "done": "Withdrawn. None of these mails starts any more.",
        "erase": "Erase …",
        "erased": "The erasure began",
        "erase_sure": "Erase this person",
        "out": "Sign out",
        "asked": "Please look into your mailbox",
    },
    "de": {
        "email": "E-Mail-Adresse",
        "send": "Link zusenden",
        "open": "Schreibtisch öffnen",
        "why": "Warum Sie nachsehen",
        "look": "Nachschlagen",
        "story": "Was geschah",
        "paper": "Diese Einwilligung nachweisen: Papier (PDF) Newsletter, 1",
        "withdraw": "Widerruf eintragen … Newsletter, 1",
        "before": "Wie die Person darum bat",
        "sure": "Widerruf eintragen",
        "done": "Widerrufen. Keine dieser E-Mails beginnt mehr.",
        "erase": "Löschen …",
        "erased": "Die Löschung hat begonnen",
        "erase_sure": "Diese Person löschen",
        "out": "Abmelden",
        "asked": "Bitte sehen Sie in Ihr Postfach",
    },
    "fr": {
        "email": "Adresse e-mail",
        "send": "M’envoyer un lien",
        "open": "Ouvrir le bureau",
        "why": "Pourquoi vous consultez",
        "look": "Rechercher",
        "story": "Ce qui s’est passé",
        "asked": "Regardez dans votre boîte de réception",
    },
}


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        await enter(opened)
        yield opened


async def enter(site: Site) -> str:
    """As whoever runs the machine enters somebody; the link that is printed."""
    arguments = ("operator", "create", "--role", "dpo", "--name", "privacy-1")
    return await asyncio.to_thread(site.command, *arguments, stdin=DPO)


async def sign_in(person: Visit, site: Site, locale: str, mail: int) -> None:
    """Ask for a link, and press its button."""
    words = WORDS[locale]
    await person.go(f"{site.gateway}/dpo/?locale={locale}")
    await person.page.get_by_label(words["email"]).fill(DPO)
    await person.press(words["send"])
    await person.sees(words["asked"])
    await person.go(f"{link(await site.mail(mail), 'dpo/link')}?locale={locale}")
    await person.press(words["open"])


async def look_up(person: Visit, locale: str) -> None:
    words = WORDS[locale]
    await person.page.get_by_label(words["email"]).fill(ADA)
    await person.page.get_by_label(words["why"]).fill("2026-17")
    await person.press(words["look"])
    await person.sees(words["story"])


@asynccontextmanager
async def seated(
    chromium: Any, desk: Site, locale: str, size: Any, *, scripts: bool
) -> AsyncIterator[Visit]:
    """An officer who came in by the mailed link, once Ada had signed up and confirmed."""
    spoken = "en" if locale == "fr" else locale  # the form has no French words
    async with visit(chromium, desk, spoken, size) as person:
        await sign_up(person, desk, spoken)
        await confirm(person, await desk.mail(1), spoken)
    async with visit(chromium, desk, locale, size, scripts=scripts) as officer:
        await sign_in(officer, desk, locale, 2)
        yield officer


# A task at the desk: in both languages, on both screens, and by whoever has no scripts.
BY_SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["with axe", "without scripts"])
BY_TONGUE = pytest.mark.parametrize(
    ("locale", "size"), [("en", DESKTOP), ("de", PHONE)], ids=["en", "de"]
)


# Tasks that everybody has, in each language.
IN_EVERY_TONGUE = pytest.mark.parametrize(
    ("locale", "size", "scripts"),
    [
        pytest.param("en", DESKTOP, True, id="en with axe"),
        pytest.param("en", DESKTOP, False, id="en without scripts"),
        pytest.param("de", PHONE, True, id="de with axe"),
        pytest.param("de", PHONE, False, id="de without scripts"),
        pytest.param("fr", PHONE, True, id="fr with axe"),
    ],
)


@BY_SCRIPTS
@BY_TONGUE
async def test_what_came_by_phone_takes_no_more_than_five_clicks(
    chromium: Any, desk: Site, locale: str, size: Any, scripts: bool
) -> None:
    words = WORDS[locale]
    async with seated(chromium, desk, locale, size, scripts=scripts) as officer:
        await look_up(officer, locale)  # click 1
        async with officer.page.expect_download() as paper:
            await officer.press(words["paper"])  # with the next, "prove this consent" in 2
        assert (await paper.value).suggested_filename.endswith(".pdf")
        await officer.press(words["withdraw"])  # click 2
        await officer.sees(words["before"])
        await officer.page.locator("input[name=channel][value=phone]").check()
        await officer.press(words["sure"])  # click 4
        await officer.sees(words["done"])
        await officer.press(words["erase"])
        await officer.sees(words["before"])
        await officer.page.locator("input[name=channel][value=phone]").check()
        await officer.press(words["erase_sure"])
        await officer.sees(words["erased"])
        await officer.press(words["out"])
        await officer.sees(words["send"])
