"""Tasks of whoever answers for the data, in a real browser, counted in clicks from the start page.

A click is a button, a link, or a choice; what is typed is none.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.browser.conftest import IN_A_BROWSER, Site
from tests.browser.test_desk_visit import IN_EVERY_TONGUE, desk, seated
from tests.browser.test_journey import ADA, Visit

__all__ = ["desk"]

pytestmark = IN_A_BROWSER
MOST = 5
WORDS = {
    "en": {
        "cases": "Cases",
        "email": "Email address",
        "kind": "Erasure",
        "phone": "by phone",
        "written": "It is written down.",
        "erase": "Erase …",
        "before": "It cannot be undone.",
        "sure": "Erase this person",
        "erased": "The erasure began",
        "paper": "Certificate (PDF)",
        "log": "The log",
        "told": "An operator signed in",
        "authority": "For an authority",
        "since": "From this day",
        "until": "Up to this day, with it",
        "number": "Number of the authority's case",
        "take": "Take it out",
        "back": "Back to the desk",
        "fetch": "Fetch the file",
        "waits": "Exports",
        "defend": "Defend a mail",
        "file": "The mail, as a file",
        "why": "Why you look",
        "ask": "Is it ours?",
        "ours": "The mail went to the address that the consent names.",
    },
    "de": {
        "cases": "Fälle",
        "email": "E-Mail-Adresse",
        "kind": "Löschung",
        "phone": "per Telefon",
        "written": "Es ist eingetragen.",
        "erase": "Löschen …",
        "before": "nicht zurücknehmen",
        "sure": "Diese Person löschen",
        "erased": "Die Löschung hat begonnen",
        "paper": "Bescheinigung (PDF)",
        "log": "Das Audit-Log",
        "told": "Eine befugte Person hat sich angemeldet",
        "authority": "Für eine Behörde",
        "since": "Von diesem Tag",
        "until": "Bis zu diesem Tag, mit ihm",
        "number": "Aktenzeichen der Behörde",
        "take": "Exportieren",
        "back": "Zurück zum Schreibtisch",
        "fetch": "Datei abholen",
        "waits": "Exporte",
        "defend": "Eine E-Mail verteidigen",
        "file": "Die E-Mail, als Datei",
        "why": "Warum Sie nachsehen",
        "ask": "Ist sie von uns?",
        "ours": "Die E-Mail ging an die Adresse, die die Einwilligung nennt.",
    },
    "fr": {
        "cases": "Dossiers",
        "email": "Adresse e-mail",
        "kind": "Effacement",
        "phone": "par téléphone",
        "written": "C’est consigné.",
        "erase": "Effacer …",
        "before": "C’est irréversible.",
        "sure": "Effacer cette personne",
        "erased": "L’effacement a commencé",
        "paper": "Attestation (PDF)",
        "log": "Le journal",
        "told": "Une personne habilitée s’est identifiée",
        "authority": "Pour une autorité",
        "since": "À partir de ce jour",
        "until": "Jusqu’à ce jour inclus",
        "number": "Numéro du dossier de l’autorité",
        "take": "Exporter",
        "back": "Retour au bureau",
        "fetch": "Récupérer le fichier",
        "waits": "Exports",
        "defend": "Défendre un e-mail",
        "file": "L’e-mail, sous forme de fichier",
        "why": "Pourquoi vous consultez",
        "ask": "Est-il de nous\u00a0?",
        "ours": "L’e-mail est allé à l’adresse que le consentement nomme.",
    },
}


class Counted:
    """A visit whose clicks are counted, one task at a time."""

    def __init__(self, person: Visit) -> None:
        self.person, self.clicks = person, 0

    async def press(self, name: str, role: str = "button") -> None:
        self.clicks += 1
        await self.person.press(name, role)

    async def tick(self, label: str) -> None:
        self.clicks += 1
        await self.person.page.get_by_role("radio", name=label).check()

    async def type(self, label: str, text: str) -> None:
        await self.person.page.get_by_label(label).fill(text)


async def erasure_by_phone(task: Counted, words: dict[str, str]) -> None:
    person = task.person
    await task.press(words["cases"], "link")
    await person.check()
    await task.type(words["email"], ADA)
    await task.tick(words["phone"])
    await task.press(words["kind"])
    await person.sees(words["written"])
    await task.press(words["erase"])
    await person.sees(words["before"])
    await task.press(words["sure"])
    await person.sees(words["erased"])


async def may_for_the_authority(task: Counted, words: dict[str, str]) -> str:
    person = task.person
    await task.press(words["log"], "link")
    story = person.page.locator(".story").get_by_text(words["told"])
    async with asyncio.timeout(60):
        while not await story.count():  # it stands in the log a moment after it happened
            await person.page.reload()
    await person.check()
    await task.type(words["since"], "2026-05-01")
    await task.type(words["until"], "2026-05-31")
    await task.tick(words["authority"])
    await task.type(words["number"], "17/2026")
    await task.press(words["take"])
    # The page looks by itself, with scripts or without, until the file is there.
    await person.page.get_by_role("button", name=words["fetch"]).wait_for(timeout=60_000)
    await person.check()
    async with person.page.expect_download() as file:
        await task.press(words["fetch"])
    return str((await file.value).suggested_filename)


async def a_letter_with_a_mail(task: Counted, words: dict[str, str], mail: bytes) -> None:
    person = task.person
    await task.press(words["defend"], "link")
    await person.check()
    task.clicks += 1  # the file is chosen
    drop = person.page.get_by_label(words["file"])
    await drop.set_input_files({"name": "m.eml", "mimeType": "message/rfc822", "buffer": mail})
    await task.type(words["why"], "letter of 3 May")
    await task.press(words["ask"])
    await person.sees(words["ours"])


@IN_EVERY_TONGUE
async def test_what_an_authority_wants_a_letter_and_an_erasure_take_no_more_than_five_clicks(
    chromium: Any, desk: Site, locale: str, size: Any, scripts: bool
) -> None:
    words = WORDS[locale]
    async with seated(chromium, desk, locale, size, scripts=scripts) as officer:
        may, letter, phone = Counted(officer), Counted(officer), Counted(officer)
        asked = desk.folder.read(desk.folder.names()[-1])  # what Ada was sent first
        assert asked is not None
        assert await may_for_the_authority(may, words) == "audit.zip"
        await officer.press(words["back"], "link")
        await a_letter_with_a_mail(letter, words, asked)
        await officer.press(words["back"], "link")
        await erasure_by_phone(phone, words)
        async with officer.page.expect_download() as paper:
            await officer.press(words["paper"], "link")

    assert (await paper.value).suggested_filename.startswith("era_")
    assert (may.clicks, letter.clicks, phone.clicks) == (4, 3, 5)
    assert max(may.clicks, letter.clicks, phone.clicks) <= MOST
