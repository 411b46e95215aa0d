"""Signing in at the desk by an identity provider of other hands than ours, in a real browser."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.browser.conftest import IN_A_BROWSER, Site, open_site
from tests.browser.test_desk_visit import DPO, enter
from tests.browser.test_desk_visit import WORDS as OF_DESK
from tests.browser.test_journey import DESKTOP, PHONE, Visit, link, visit
from tests.support.ports import free_port

pytestmark = IN_A_BROWSER
WORDS = {
    "en": {
        "sign_in": "Sign in with Acme Login",
        "refused": "This account does not open the desk",
        "over": "This attempt to sign in is over",
        "away": "Acme Login does not answer at the moment",
        "back": "Back to the desk",
    },
    "de": {
        "sign_in": "Anmelden mit Acme Login",
        "refused": "Dieses Konto öffnet den Schreibtisch nicht",
        "over": "Dieser Anmeldeversuch ist vorbei",
        "away": "Acme Login antwortet gerade nicht",
        "back": "Zurück zum Schreibtisch",
    },
}


@dataclass
class Running:
    """A provider in a process of its own."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(60)


@asynccontextmanager
async def provider(directory: Path) -> AsyncIterator[Running]:
    """`oidc-provider-mock`, with the officer, somebody unchecked and a stranger."""
    port = free_port()
    people = [
        {"sub": "officer", "email": DPO, "email_verified": True},
        {"sub": "unchecked", "email": DPO, "email_verified": False},
        {"sub": "stranger", "email": "mallory@example.org", "email_verified": True},
    ]
    said = [word for one in people for word in ("--user-claims", json.dumps(one))]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"]
    with (directory / "provider.log").open("ab") as log:
        process = subprocess.Popen([*command, "true", *said], stdout=log, stderr=log)  # noqa: ASYNC220 it returns at once
    running = Running(f"http://127.0.0.1:{port}", process)
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as http:
            while not await _is_up(http, running.url):
                assert process.poll() is None, (directory / "provider.log").read_text()
                await asyncio.sleep(0.1)
        yield running
    finally:
        running.stop()


async def _is_up(http: aiohttp.ClientSession, url: str) -> bool:
    with suppress(aiohttp.ClientError):
        async with http.get(f"{url}/.well-known/openid-configuration") as answer:
            return answer.status == 200
    return False


def section(issuer: str) -> str:
    return (
        f'[desk.oidc]\nissuer = "{issuer}"\nclient_id = "desk"\n'
        'client_secret_env = "TEST_OIDC_SECRET"\nname = "Acme Login"\n'
    )


async def as_who(person: Visit, running: Running, who: str) -> None:
    """At the provider; its page is not ours to judge."""
    person.allow(running.url)
    await person.page.wait_for_url(f"{running.url}/**")
    person.wrong.clear()
    await person.page.get_by_role("button", name=who, exact=True).click()


@pytest.mark.parametrize("scripts", [True, False], ids=["with axe", "without scripts"])
@pytest.mark.parametrize(("locale", "size"), [("en", DESKTOP), ("de", PHONE)], ids=["en", "de"])
async def test_the_whole_way_and_who_does_not_get_in(
    chromium: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    locale: str,
    size: Any,
    scripts: bool,
) -> None:
    monkeypatch.setenv("TEST_OIDC_SECRET", "secret")
    words, desk = WORDS[locale], OF_DESK[locale]
    async with (
        provider(tmp_path) as running,
        open_site(tmp_path, more=section(running.url)) as site,
    ):
        await enter(site)
        start = f"{site.gateway}/dpo/?locale={locale}"
        async with visit(chromium, site, locale, size, scripts=scripts) as person:
            await offline(person, site, running)
            for who in ("stranger", "unchecked"):
                await person.go(start)
                await person.press(words["sign_in"])
                await as_who(person, running, who)
                await person.sees(desk["open"])
                await person.press(desk["open"])
                await person.sees(words["refused"])
                await person.press(words["back"], "link")

            await person.press(words["sign_in"])
            await as_who(person, running, "officer")
            await person.sees(desk["open"])
            back = person.page.url
            await person.press(desk["open"])
            await person.sees(desk["look"])
            await person.go(start)  # by reload and by address the session is there
            await person.sees(desk["look"])
            await person.go(back)  # the way back leads nowhere any more
            await person.sees(words["over"])


async def offline(person: Visit, site: Site, running: Running) -> None:
    """What the provider's own pages would load from elsewhere is nowhere."""
    known = (site.gateway, running.url)

    async def route(asked: Any) -> None:
        if asked.request.url.startswith(known):
            await asked.continue_()
        else:
            await asked.abort()

    await person.page.route("**/*", route)


async def test_where_the_provider_is_away_the_mailed_link_opens_the_desk(
    chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_OIDC_SECRET", "secret")
    gone = f"http://127.0.0.1:{free_port()}"
    async with open_site(tmp_path, more=section(gone)) as site:
        await enter(site)
        for locale in ("de", "en"):
            async with visit(chromium, site, locale, PHONE) as person:
                await person.go(f"{site.gateway}/dpo/?locale={locale}")
                await person.sees(WORDS[locale]["away"])
        async with visit(chromium, site) as person:
            await person.go(f"{site.gateway}/dpo/?locale=en")
            button = person.page.get_by_role("button", name=WORDS["en"]["sign_in"])
            assert await button.is_disabled()
            await person.page.get_by_label("Email address").fill(DPO)
            await person.press("Send me a link")
            await person.sees("Please look into your mailbox")
            await person.go(f"{link(await site.mail(1), 'dpo/link')}?locale=en")
            await person.press("Open the desk")
            await person.sees("Look up")
