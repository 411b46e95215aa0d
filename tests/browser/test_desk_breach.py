"""Something was lost, and a paper is asked for: in a real browser, counted in clicks."""

from __future__ import annotations

from typing import Any

from tests.browser.conftest import IN_A_BROWSER, Site
from tests.browser.test_desk_cases import MOST, Counted
from tests.browser.test_desk_visit import IN_EVERY_TONGUE, desk, look_up, seated

__all__ = ["desk"]

pytestmark = IN_A_BROWSER
WORDS = {
    "en": {
        "breach": "A breach",
        "number": "Your file number for it",
        "laptop": "A laptop, phone or mailbox",
        "work": "Work it out",
        "reads": "People in it, at most: 1;",
        "draft": "Draft: notification of a personal data breach",
        "paper": "Paper (PDF)",
        "papers": "Papers",
        "record": "Record of processing activities",
        "newsletter": "Form “newsletter” asks for",
        "back": "Back to the desk",
    },
    "de": {
        "breach": "Eine Datenpanne",
        "number": "Ihr Aktenzeichen dafür",
        "laptop": "Ein Laptop, Telefon oder Postfach",
        "work": "Ermitteln",
        "reads": "Personen darin, höchstens: 1;",
        "draft": "Entwurf: Meldung einer Verletzung",
        "paper": "Papier (PDF)",
        "papers": "Papiere",
        "record": "Verzeichnis der Verarbeitung",
        "newsletter": "Das Formular „newsletter“ fragt nach",
        "back": "Zurück zum Schreibtisch",
    },
    "fr": {
        "breach": "Une violation",
        "number": "Votre numéro de dossier",
        "laptop": "Un ordinateur, un téléphone ou une messagerie",
        "work": "Établir",
        "reads": "Personnes là-dedans, au plus\u00a0: 1",
        "draft": "Projet\u00a0: notification d’une violation",
        "paper": "Document (PDF)",
        "papers": "Documents",
        "record": "Registre des activités de traitement",
        "newsletter": "Le formulaire « newsletter » demande",
        "back": "Retour au bureau",
    },
}


@IN_EVERY_TONGUE
async def test_what_was_on_a_stolen_laptop_and_the_record_take_no_more_than_five_clicks(
    chromium: Any, desk: Site, locale: str, size: Any, scripts: bool
) -> None:
    words = WORDS[locale]
    async with seated(chromium, desk, locale, size, scripts=scripts) as officer:
        await look_up(officer, locale)
        await officer.go(f"{desk.gateway}/dpo/?locale={locale}")
        laptop, record = Counted(officer), Counted(officer)
        await laptop.press(words["breach"], "link")
        await officer.check()
        await laptop.type(words["number"], "INC-7")
        laptop.clicks += 1
        await officer.page.get_by_role("checkbox", name=words["laptop"]).check()
        await laptop.press(words["work"])
        await officer.sees(words["draft"])
        await officer.sees(words["reads"])
        await officer.check()
        async with officer.page.expect_download() as paper:
            await laptop.press(words["paper"])
        await officer.press(words["back"], "link")

        await record.press(words["papers"], "link")
        await officer.check()
        await record.press(words["record"], "link")
        await officer.sees(words["newsletter"])
        await officer.check()
        async with officer.page.expect_download() as file:
            await record.press(words["paper"], "link")

    assert (await paper.value).suggested_filename == "breach.pdf"
    assert (await file.value).suggested_filename == "record.pdf"
    assert (laptop.clicks, record.clicks) == (4, 3)
    assert max(laptop.clicks, record.clicks) <= MOST
