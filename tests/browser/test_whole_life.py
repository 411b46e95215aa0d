"""Somebody's whole life by link, in a real browser: mailed, paused, moved, taken along, erased."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from gateway.look.translations import translations
from tests.browser.conftest import Site
from tests.browser.test_journey import (
    ADA,
    DESKTOP,
    PHONE,
    WORDS,
    Visit,
    confirm,
    link,
    sent,
    sign_up,
    visit,
)

pytestmark = pytest.mark.wide
NEW = "ada.new@example.org"
MOVED = (
    "Your mails start for this mailbox from now on, and for the one of before no more. What you "
    "agreed to stands."
)


async def by_sql(site: Site, statement: str) -> None:
    def run() -> None:
        file = site.config.parent / "var" / "gateway.db"
        with closing(sqlite3.connect(file, timeout=20)) as raw, raw:
            raw.execute(statement)

    await asyncio.to_thread(run)


async def a_minute_later(site: Site) -> None:
    """What waits is due: nobody sits through the minute."""
    await by_sql(site, "UPDATE outbox SET due_at = created_at WHERE status = 'queued'")


async def a_day_later(site: Site) -> None:
    """Another personal link may be asked for."""
    early = "strftime('%Y-%m-%dT%H:%M:%fZ', sent_at, '-2 days')"
    await by_sql(site, f"UPDATE service_mail SET sent_at = {early}")  # noqa: S608 ours


async def open_ones_data(person: Visit, site: Site, locale: str, email: str, mail: int) -> None:
    words = WORDS[locale]
    await person.go(f"{site.gateway}/my-data?locale={locale}")
    await person.page.get_by_label(words["email"]).fill(email)
    await person.press(words["send"])
    await person.sees(words["mailbox"])
    await person.go(link(await site.mail(mail), "my-data"))
    await person.press(words["open"])
    await person.sees(words["overview"])
    await person.sees(email)


async def pause_and_go_on(person: Visit, site: Site, key: str, locale: str) -> None:
    """What is sent meanwhile waits; what is sent after it comes."""
    say, before = translations(locale).gettext, len(site.folder.names())
    await person.press(say("Pause, or fewer mails"), "link")
    await person.check()
    await person.page.get_by_label(say("For one month from now")).check()
    await person.press(say("Save"))
    await person.check()
    await sent(site, key)
    await asyncio.sleep(1.5)
    assert len(site.folder.names()) == before
    assert await site.granted(key, ADA), "a pause ended something"
    await person.page.get_by_label(say("No pause")).check()
    await person.press(say("Save"))
    await person.check()
    await sent(site, key)
    await site.mail(before + 1)


async def change_the_address(person: Visit, site: Site, locale: str) -> None:
    say, before = translations(locale).gettext, len(site.folder.names())
    await person.go(f"{site.gateway}/my-data/rectify?locale={locale}")
    await person.page.get_by_label(say("New email address")).fill(NEW)
    await person.press(say("Ask the new address"))
    await person.check()
    told = await site.mail(before + 1)
    await a_minute_later(site)
    asked = await site.mail(before + 2)
    assert [told.summary.recipient, asked.summary.recipient] == [ADA, NEW]
    await person.go(link(asked, "address") + f"?locale={locale}")
    await person.press(say("Yes, to this mailbox"))
    await person.sees(say(MOVED))
    assert (await site.mail(before + 3)).summary.recipient == ADA, "the one of before is told"


async def take_along(person: Visit, locale: str) -> None:
    say = translations(locale).gettext
    for name in ("To read and print (PDF)", "For machines, with every detail (JSON)"):
        async with person.page.expect_download() as coming:
            await person.press(say(name))
        path = await (await coming.value).path()
        raw = await asyncio.to_thread(path.read_bytes)
        assert raw.startswith(b"%PDF-") or json.loads(raw)["email"] == NEW


async def be_erased(person: Visit, site: Site, locale: str) -> None:
    say = translations(locale).gettext
    await person.press(say("Have your data erased"), "link")
    await person.sees(say("What stays"))
    await person.press(say("Erase my data for good"))
    await person.sees(say("Your data is erased"))
    await person.go(f"{site.gateway}/my-data/pace?locale={locale}")
    await person.sees(WORDS[locale]["send"])


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("locale", "size", "scripts"),
    [
        pytest.param("en", PHONE, True, id="English, phone, scripts"),
        pytest.param("de", DESKTOP, False, id="German, desktop, no scripts"),
        pytest.param("de", PHONE, True, id="German, phone, scripts", marks=pytest.mark.long),
        pytest.param("en", DESKTOP, False, id="English, desktop", marks=pytest.mark.long),
    ],
)
async def test_a_person_is_mailed_pauses_moves_takes_all_along_and_is_forgotten(
    site: Site, chromium: Any, locale: str, size: Any, scripts: bool
) -> None:
    scopes = ("--scope", "messages:send", "--scope", "permissions:read")
    key = await asyncio.to_thread(site.command, "api-key", "create", "--name", "t", *scopes)
    async with visit(chromium, site, locale, size, scripts=scripts) as person:
        await sign_up(person, site, locale)
        await confirm(person, await site.mail(1), locale)
        await sent(site, key)
        await site.mail(2)
        await open_ones_data(person, site, locale, ADA, 3)
        await pause_and_go_on(person, site, key, locale)
        await change_the_address(person, site, locale)
        await a_day_later(site)
        await open_ones_data(person, site, locale, NEW, len(site.folder.names()) + 1)
        await take_along(person, locale)
        await be_erased(person, site, locale)
    assert not await site.granted(key, NEW)
    assert await asyncio.to_thread(site.command, "audit", "verify")
