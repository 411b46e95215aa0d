"""Asked anew in a real browser: answered yes, answered no, not answered; what is mailed then."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.smtp.inbox import Mail
from tests.browser.conftest import IN_A_BROWSER, Site, make_site, serving
from tests.browser.test_journey import (
    ADA,
    DESKTOP,
    PHONE,
    WORDS,
    Visit,
    confirm,
    link,
    sent,
    visit,
)

pytestmark = IN_A_BROWSER
CHANGED = {
    "the Acme newsletter with product news and offers by email": "offers of 340 partners by email",
    "den Acme-Newsletter mit Produktneuigkeiten und Angeboten": "Angebote von 340 Partnern",
}
SAID = {
    "en": {
        "changed": "What you agreed to has changed",
        "wording": "340 partners",
        "yes": "Yes, I agree",
        "agreed": "Thank you, confirmed",
        "no": "No",
        "ended": "Your no is stored",
    },
    "de": {
        "changed": "Worin Sie eingewilligt haben, hat sich geändert",
        "wording": "340 Partnern",
        "yes": "Ja, ich willige ein",
        "agreed": "Danke, Ihre Anmeldung ist bestätigt",
        "no": "Nein",
        "ended": "Ihr Nein ist gespeichert",
    },
}


async def sign_up(person: Visit, site: Site, locale: str) -> None:
    """By the hosted form."""
    words, page = WORDS[locale], person.page
    await person.go(f"{site.gateway}/forms/newsletter?locale={locale}")
    await page.get_by_label(words["email"]).fill(ADA)
    await page.get_by_role("checkbox").first.check()
    await person.press(words["sign_up"])
    await person.sees(words["mailbox"])


async def key_of(site: Site) -> str:
    scopes = ("--scope", "messages:send", "--scope", "permissions:read")
    return await asyncio.to_thread(site.command, "api-key", "create", "--name", "t", *scopes)


def change_the_wording(site: Site) -> None:
    raw = site.config.read_text()
    for old, new in CHANGED.items():
        assert raw.count(old) == 1, old
        raw = raw.replace(old, new)
    site.config.write_text(raw)


async def ask_again(site: Site) -> dict[str, Any]:
    """As the operator: those who rest on the wording that covers nothing any more."""
    listed = json.loads(await asyncio.to_thread(site.command, "texts", "list", "--json"))
    (old,) = [one["hash"] for one in listed if one["lacks"] and one["consents"]]
    asking = ("texts", "ask-again", old, "--yes", "--json")
    told: dict[str, Any] = json.loads(await asyncio.to_thread(site.command, *asking))
    return told


async def refused(site: Site, key: str) -> str:
    """Why the marketing automation may not send a mail."""
    content = {"template": "welcome", "data": {"first_name": "Ada"}}
    message = {"to": {"email": ADA}, "purpose": "newsletter", "content": content}
    status, answer = await site.call(key, "/v1/messages", message)
    assert status == 403
    return str(answer["reason"])


async def is_asked(person: Visit, site: Site, locale: str) -> Mail:
    """The mail that asks anew, and the page behind its link, which is looked at."""
    assert await ask_again(site) == {"asked": 1, "not_asked": {}, "left": 0}
    asking = await site.mail(3)
    await person.go(link(asking, "confirm"))
    await person.sees(SAID[locale]["changed"])
    await person.sees(SAID[locale]["wording"])
    return asking


@pytest.mark.parametrize(
    ("answer", "locale", "size", "scripts"),
    [
        pytest.param("yes", "en", PHONE, True, id="yes, English, phone, scripts"),
        pytest.param("yes", "de", DESKTOP, False, id="yes, German, desktop, no scripts"),
        pytest.param("no", "de", PHONE, True, id="no, German, phone, scripts"),
        pytest.param("no", "en", DESKTOP, False, id="no, English, desktop, no scripts"),
        pytest.param("none", "en", DESKTOP, True, id="not answered"),
    ],
)
async def test_whoever_is_asked_anew_gets_mails_by_a_yes_alone(
    tmp_path: Path, chromium: Any, answer: str, locale: str, size: Any, scripts: bool
) -> None:
    site, said = await make_site(tmp_path), SAID[locale]
    async with visit(chromium, site, locale, size, scripts=scripts) as person:
        async with serving(site, tmp_path):
            key = await key_of(site)
            await sign_up(person, site, locale)
            await confirm(person, await site.mail(1), locale)
            await sent(site, key)
            await site.mail(2)
        change_the_wording(site)
        async with serving(site, tmp_path):
            assert await refused(site, key) == "not_covered"
            await is_asked(person, site, locale)
            assert await refused(site, key) == "not_covered", "a look changed something"
            if answer == "yes":
                await person.press(said["yes"])
                await person.sees(said["agreed"])
                await sent(site, key)
                letter = await site.mail(4)
                assert "/unsubscribe/" in (letter.text or "")
            elif answer == "no":
                await person.press(said["no"])
                await person.sees(said["ended"])
                assert await refused(site, key) == "withdrawn"
            else:
                again = await ask_again(site)
                assert again == {"asked": 0, "not_asked": {"asked_before": 1}, "left": 0}
                assert await refused(site, key) == "not_covered"
            await asyncio.sleep(1)
            assert len(site.folder.names()) == (4 if answer == "yes" else 3)
