"""Take the pictures in docs/screenshots, of a real gateway: `python -m tests.support.pictures`.

One story from the form to the last goodbye, told in the order in which people
meet the pages. The README beside the pictures is written along with them.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, async_playwright

from gateway.http import pages
from tests.browser.conftest import CHROMIUM, QUIET, Site, open_site
from tests.browser.test_desk_visit import DPO, enter
from tests.browser.test_journey import ADA, link, sent
from tests.support.page_samples import samples

_PNGQUANT: Final = shutil.which("pngquant") or "pngquant"
_OUT: Final = Path(__file__).parents[2] / "docs" / "screenshots"
_PHONE: Final = {"width": 390, "height": 780}
_DESK: Final = {"width": 1120, "height": 760}
_GRACE: Final = "grace@example.org"
_RIGHTS: Final = {
    "rectify": "Corrections, and another address.",
    "pace": "A pause, or fewer mails: nothing that was agreed to ends.",
    "restrict": "Restriction of use, to be lifted on the same page.",
    "object": "Objection to advertising.",
    "erase": "Erasure, first of two steps: what goes, what stays, and until when.",
}
_HEAD: Final = """\
# What people see

Pictures of a real gateway with its embedded default configuration, taken by
`.venv/bin/python -m tests.support.pictures`, which writes this page too (see `CONTRIBUTING.md`).
A sender's colours and logo come from the configuration. Every person in them is made up.
"""


class Album:
    """The pictures that were taken so far, with what is to be said of each."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._lines = [_HEAD]

    @asynccontextmanager
    async def open(
        self, *, phone: bool = True, dark: bool = False, locale: str = "en"
    ) -> AsyncIterator[Page]:
        """One browser window."""
        page = await self._browser.new_page(
            viewport=_PHONE if phone else _DESK,  # type: ignore[arg-type]  # a TypedDict of playwright's
            color_scheme="dark" if dark else "light",
            locale=locale,
        )
        yield page
        await page.close()

    def chapter(self, title: str) -> None:
        self._lines.append(f"\n## {title}\n")

    async def take(self, page: Page, name: str, sentence: str, *, whole: bool = True) -> None:
        """A picture of the whole page; not *whole*: of what the screen shows."""
        await page.wait_for_load_state("networkidle")
        await page.evaluate("document.activeElement?.blur()")
        await page.screenshot(path=_OUT / f"{name}.png", full_page=whole)
        width = 720 if page.viewport_size == _DESK else 320
        alt = escape(sentence, quote=True)
        self._lines.append(f'{sentence}\n\n<img src="{name}.png" width="{width}" alt="{alt}">\n')

    def write(self) -> None:
        """Write the page that shows them; in few colours they are a third of the size."""
        shrink = [_PNGQUANT, "--force", "--strip", "--skip-if-larger", "--ext", ".png", "128"]
        subprocess.run([*shrink, *sorted(_OUT.glob("*.png"))], check=True)
        (_OUT / "README.md").write_text("\n".join(self._lines), encoding="utf-8")


async def _sign_up(album: Album, site: Site) -> None:
    album.chapter("Signing up")
    async with album.open(phone=False) as page:
        await page.goto(f"{site.landing}/?locale=en")
        await page.locator("consent-form-newsletter").wait_for()
        sentence = "A company's landing page; the form comes from one script tag."
        await album.take(page, "landing", sentence)
    async with album.open() as page:
        await page.goto(f"{site.gateway}/forms/newsletter?locale=en")
        await album.take(page, "form", "The hosted form, for a link or where no script runs.")
        await page.get_by_label("First name").fill("Ada")
        await page.get_by_label("Email address").fill("ada")
        await page.get_by_role("button", name="Sign up").click()
        sentence = "What is wrong is said on top and at each field; what was typed stays."
        await album.take(page, "form-error", sentence)
        await page.get_by_label("Email address").fill(ADA)
        await page.get_by_role("checkbox").check()
        await page.get_by_role("button", name="Sign up").click()
        await album.take(page, "thanks", "The same answer for every address, known or not.")
    async with album.open(locale="de") as page:
        await page.goto(f"{site.gateway}/forms/newsletter?locale=de")
        await album.take(page, "form-de", "The form in German.")


async def _confirm(album: Album, site: Site) -> None:
    album.chapter("Confirming")
    mail = await site.mail(1)
    async with album.open(phone=False) as page:
        await page.goto(f"{site.inbox}/mails/{mail.summary.name}")
        sentence = "The confirmation mail, in the local inbox of `gateway demo`."
        await album.take(page, "mail-confirmation", sentence)
    async with album.open() as page:
        await page.goto(link(mail, "confirm"))
        await album.take(
            page, "confirm", "The link's page. Looking changes nothing; one button does."
        )
        await page.get_by_role("button", name="Yes, I confirm").click()
        await album.take(page, "confirmed", "After the button.")
        await _sample(page, "confirm-two")
        sentence = "Where a sign-up named several purposes, each can be left out."
        await album.take(page, "confirm-two", sentence)
        await _sample(page, "confirm-two-senders")
        sentence = "Two senders under one controller: each is named, with imprint and notice."
        await album.take(page, "confirm-two-senders", sentence)
        await _sample(page, "confirm-contested")
        sentence = (
            "Where the sign-up may be somebody else's, nothing that was entered is shown or kept."
        )
        await album.take(page, "confirm-contested", sentence)
        await _sample(page, "confirm-objected")
        sentence = "What stands against mails all the same is said, before and after the button."
        await album.take(page, "confirm-objected", sentence)
        await _sample(page, "expired")  # nobody waits 72 hours for a picture
        sentence = "A link past its 72 hours offers a new mail."
        await album.take(page, "confirm-expired", sentence)
    async with album.open(locale="de") as page:
        await page.goto(f"{site.gateway}/forms/newsletter?locale=de")
        await page.get_by_label("E-Mail-Adresse").fill(_GRACE)
        await page.get_by_role("checkbox").check()
        await page.get_by_role("button", name="Anmelden").click()
        mail = await site.mail(2)
        await _show(page, mail)
        await album.take(page, "mail-confirmation-de", "The mail in German, on a phone.")
        await page.goto(link(mail, "confirm"))
        await album.take(page, "confirm-de", "Its page.")
        await page.get_by_role("button", name="Das war ich nicht").click()
        await album.take(page, "rejected-de", "After “this was not me”.")
        for state in ("confirm-two-senders", "confirm-contested"):
            await _sample(page, state, "de")
            await album.take(page, f"{state}-de", "As above, in German.")


async def _sample(page: Page, state: str, locale: str = "en") -> None:
    """A page in a state that takes more to come about than a picture is worth."""
    name, facts = samples(locale)[state]
    await page.goto("about:blank")
    await page.set_content(pages.render(name, locale, **facts))


async def _show(page: Page, mail: Any) -> None:
    """A mail as a mail program shows it, with nothing around it."""
    await page.goto("about:blank")
    await page.set_content(mail.html)


async def _receive(album: Album, site: Site) -> str:
    album.chapter("Receiving")
    scopes = ("--scope", "messages:send")
    key = await asyncio.to_thread(site.command, "api-key", "create", "--name", "t", *scopes)
    await sent(site, key)
    mail = await site.mail(3)
    async with album.open() as page:
        await _show(page, mail)
        sentence = "A marketing mail: who, why, and how to leave stand below each."
        await album.take(page, "mail-welcome", sentence)
    async with album.open(dark=True) as page:
        await _show(page, mail)
        await album.take(page, "mail-welcome-dark", "The same in the dark.")
        await page.goto(link(mail, "why"))
        sentence = "“Why this mail?”, from its link: wording, but neither date nor address."
        await album.take(page, "why-dark", sentence)
    async with album.open() as page:
        await page.goto(link(mail, "preferences"))
        sentence = "“Preferences”, from a mail's link: this purpose only."
        await album.take(page, "preferences", sentence)
    async with album.open(phone=False) as page:
        await page.goto(site.inbox)
        await album.take(page, "inbox", "The local inbox, with every mail that left.")
    return link(mail, "unsubscribe")


async def _own_data(album: Album, site: Site) -> None:
    album.chapter("One's own data")
    async with album.open() as page:
        await page.goto(f"{site.gateway}/my-data")
        sentence = "Asking for a link to the mailbox on file; nobody needs an account."
        await album.take(page, "my-data-ask", sentence)
        await page.get_by_label("Email address").fill(ADA)
        await page.get_by_role("button", name="Send me a link").click()
        await album.take(page, "my-data-asked", "The same answer for every address.")
        mail = await site.mail(4)
        await _show(page, mail)
        await album.take(page, "mail-my-data", "The mail with the fresh link.")
        await page.goto(link(mail, "my-data"))
        await album.take(page, "my-data-open", "One button spends the link: a scanner cannot.")
        await page.get_by_role("button", name="Open my data").click()
        await album.take(page, "my-data", "The overview.")
        await page.get_by_role("link", name="Wordings and proof").click()
        await album.take(page, "why-fresh", "Wordings and proof, with dates and the story of each.")
        await page.goto(f"{site.gateway}/my-data/preferences")
        await album.take(
            page, "preferences-fresh", "Preferences, from a fresh link: every purpose."
        )

        await _rights(album, site, page)


async def _rights(album: Album, site: Site, page: Page) -> None:
    """What is asked on one's own pages; *page* has a session."""
    own = f"{site.gateway}/my-data"
    await page.goto(f"{own}?locale=de")
    await album.take(page, "my-data-de", "The overview in German.")
    for right, sentence in _RIGHTS.items():
        await page.goto(f"{own}/{right}")
        await album.take(page, f"my-data-{right}", sentence)
        await page.goto(f"{own}/{right}?locale=de")
        await album.take(page, f"my-data-{right}-de", "In German.")
    await page.goto(f"{own}/restrict")
    await page.get_by_role("button", name="Restrict the use").click()
    await album.take(page, "my-data-restricted", "Restricted, and how to lift it.")
    await page.goto(own)
    sentence = "The overview then says that nothing is mailed, though it is confirmed."
    await album.take(page, "my-data-not-mailed", sentence)
    await page.goto(f"{own}/restrict")
    await page.get_by_role("button", name="Lift the restriction").click()
    await album.take(page, "my-data-unrestricted", "Lifted.")
    for state in ("address-new", "address-old"):
        await _sample(page, state)
        sentence = "Another address: behind the link in each mailbox, the new one and the present."
        await album.take(page, state, sentence)
    for locale, end in (("en", ""), ("de", "-de")):
        await _sample(page, "my-data-erased", locale)  # she is still needed below
        sentence = "Erased, with the certificate to take along."
        await album.take(page, f"my-data-erased{end}", sentence)
    await _sample(page, "expired-fresh")
    await album.take(page, "my-data-used", "A personal link that was used, or is too old.")


async def _leave(album: Album, site: Site, unsubscribe: str) -> None:
    album.chapter("Leaving")
    async with album.open() as page:
        await page.goto(unsubscribe)
        await album.take(page, "unsubscribe", "The unsubscribe link of any mail, however old.")
        await page.get_by_role("button", name="Unsubscribe").click()
        await album.take(page, "unsubscribed", "After the button.")
        await page.get_by_role("button", name="Ask me again").click()
        await album.take(page, "again-asked", "After “ask me again”, whatever happened.")
        mail = await site.mail(6)
        await _show(page, mail)
        await album.take(page, "mail-asked-again", "The mail that then asks says what happened.")
        await page.goto(link(mail, "confirm"))
        await album.take(page, "confirm-asked-again", "And so does the page behind its link.")
        await _sample(page, "confirm-by-link", "de")
        await album.take(page, "confirm-asked-again-de", "In German.")
    async with album.open(locale="de", dark=True) as page:
        await page.goto(f"{unsubscribe}?locale=de")
        await album.take(page, "unsubscribe-dark", "In German, in the dark.")
    stop = link(await site.mail(1), "stop")
    async with album.open() as page:
        await page.goto(stop)
        sentence = "The link of each confirmation mail, and of each mail with a personal link."
        await album.take(page, "stop", sentence)
    async with album.open(locale="de", dark=True) as page:
        await page.goto(f"{stop}?locale=de")
        await page.get_by_role("button", name="Diese E-Mails abbestellen").click()
        await album.take(page, "stopped-dark", "After its button, in German, in the dark.")


async def _desk(album: Album, site: Site) -> None:
    album.chapter("The desk of who answers for the data")
    await enter(site)
    async with album.open(phone=False) as page:
        await page.goto(f"{site.gateway}/dpo/")
        sentence = "Signing in at `/dpo/`, by a link to the mailbox of an operator."
        await album.take(page, "desk-ask", sentence)
        await page.get_by_label("Email address").fill(DPO)
        await page.get_by_role("button", name="Send me a link").click()
        await page.get_by_text("Please look into your mailbox").wait_for()
        await page.goto(link(await site.mail(7), "dpo/link"))
        await page.get_by_role("button", name="Open the desk").click()
        await album.take(page, "desk", "Looking a person up takes a reason.")
        await page.get_by_label("Email address").fill(ADA)
        await page.get_by_label("Why you look").fill("case 2026-17")
        await page.get_by_role("button", name="Look up").click()
        sentence = "One person: consents, mails and what allowed each, and who looked."
        await album.take(page, "desk-person", sentence)
        await page.get_by_role("button", name="Erase …").click()
        await album.take(page, "desk-erase", "What will happen is said before.")
        await _sample(page, "desk-cases")
        await album.take(
            page, "desk-cases", "What people wait for, in the order in which it is due."
        )
        await _sample(page, "desk-case")
        await album.take(page, "desk-case", "One case, answered in one click.")
        await page.goto(f"{site.gateway}/dpo/log")
        sentence = "A day of the log, its last verification, and how it is taken out."
        await album.take(page, "desk-log", sentence)
        await page.goto(f"{site.gateway}/dpo/sent")
        await album.take(page, "desk-sent", "What became of a day's messages, and to nobody.")
        await page.goto(f"{site.gateway}/dpo/wordings")
        await album.take(page, "desk-wordings", "What people agreed to, and how many.")
        await _sample(page, "desk-defence-ours")
        await album.take(page, "desk-defence", "A mail that somebody came with is ours.")
        await page.goto(f"{site.gateway}/dpo/breach")
        await page.get_by_label("Your file number for it").fill("INC-2026-7")
        await page.get_by_role("checkbox", name="A laptop, phone or mailbox").check()
        sentence = "Something was lost: what was taken, in which time, and since when one knows."
        await album.take(page, "desk-breach", sentence)
        await page.get_by_role("checkbox", name="The data database").check()
        await page.get_by_role("checkbox", name="The key store").check()
        await page.get_by_role("button", name="Work it out").click()
        sentence = (
            "Whose data it is, whether it reads, by when it is told, and drafts of both notices."
        )
        await album.take(page, "desk-breach-found", sentence)
        await page.goto(f"{site.gateway}/dpo/papers")
        await album.take(page, "desk-papers", "Papers of the configuration that runs.")
        await page.goto(f"{site.gateway}/dpo/papers/measures")
        await album.take(page, "desk-measures", "What is so at this moment, and what is missing.")
    await _more_of_the_desk(album)


async def _more_of_the_desk(album: Album) -> None:
    async with album.open(phone=False) as page:
        await _sample(page, "desk-exports")
        sentence = "What was taken out: how far each is, and the file, once."
        await album.take(page, "desk-exports", sentence)
        await _sample(page, "desk-ask-provider")
        sentence = "Signing in by the organisation's identity provider, or by a link."
        await album.take(page, "desk-ask-provider", sentence)
    async with album.open(locale="fr", dark=True) as page:
        for state in ("desk-exports", "desk-breach", "desk-cases"):
            await _sample(page, state, "fr")
            await album.take(page, f"{state}-fr", "In French, in the dark, on a phone.")
    async with album.open(locale="de", dark=True) as page:
        for state in ("desk-person", "desk-act-withdraw", "desk-case", "desk-log-failed"):
            await _sample(page, state, "de")
            await album.take(page, f"{state}-de", "In German, in the dark, on a phone.")


async def _documents(album: Album, site: Site) -> None:
    album.chapter("For developers")
    async with album.open(phone=False) as page:
        await page.goto(f"{site.gateway}/docs#post-/v1/messages")
        reference = page.locator("rapi-doc")  # beside it stands the list of calls
        await reference.get_by_text("Queue a message, or be told why not").first.wait_for()
        await album.take(page, "docs", "The API's documentation, served at `/docs`.", whole=False)


async def main() -> None:
    if shutil.which(_PNGQUANT) is None:
        sys.exit("pngquant is missing (Debian package pngquant): pictures would be thrice as large")
    for old in _OUT.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        async with open_site(Path(folder)) as site, async_playwright() as driver:
            browser = await driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            album = Album(browser)
            await _sign_up(album, site)
            await _confirm(album, site)
            unsubscribe = await _receive(album, site)
            await _own_data(album, site)
            await _leave(album, site, unsubscribe)
            await _desk(album, site)
            await _documents(album, site)
            album.write()
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
