"""Papers of the running configuration at the desk: as page and PDF, in both languages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.http.live_papers import Live
from gateway.look.notices import notice
from tests.http.test_dpo import ADMIN, enter_all, sit
from tests.support.apps import App, open_app
from tests.support.databases import Databases


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "sqlite") as opened:
        await enter_all(opened)
        yield opened


@pytest.mark.parametrize(
    ("locale", "titles"),
    [
        (
            "en",
            ["Record of processing", "Technical and organ", "Processors and", "Privacy notice"],
        ),
        ("de", ["Verzeichnis von", "Technische und", "Auftragsverarbeiter und", "Datenschutz"]),
    ],
)
async def test_each_paper_is_of_the_configuration_that_runs_as_page_and_pdf(
    app: App, locale: str, titles: list[str]
) -> None:
    sitting = await sit(app, ADMIN)
    listed = await (await sitting.get(f"/dpo/papers?locale={locale}")).text()

    for which, title in zip(Live, titles, strict=True):
        path = f"/dpo/papers/{which}"
        page = await sitting.get(f"{path}?locale={locale}")
        text = await page.text()
        paper = await (await sitting.get(f"{path}.pdf?locale={locale}")).read()

        assert (page.status, path in listed) == (200, True)
        assert f"<h1>{title}" in text
        assert "Acme GmbH" in text and "privacy@acme.example" in text
        assert paper.startswith(b"%PDF-")
    record = await (await sitting.get(f"/dpo/papers/record?locale={locale}")).text()
    assert "Mail Relay GmbH" in record and "signup" in record
    assert ("Rundbrief" if locale == "de" else "Newsletter") in record


async def test_the_measures_say_what_is_so_and_name_what_is_missing(app: App) -> None:
    sitting = await sit(app)

    page = await (await sitting.get("/dpo/papers/measures")).text()

    assert "is no https address" in page and "No backup was verified yet." in page
    assert "Pages and links are reached under an https address" not in page
    assert "sealed (AES-256-GCM)" in page


async def test_the_notice_as_a_paper_says_all_that_the_notice_does(app: App) -> None:
    sitting, config = await sit(app), app.parts.config
    shown = await (await sitting.get("/dpo/papers/notice")).text()
    words = [w for w in notice(config, "en").replace("*", " ").split() if w.isalpha()]

    missing = [one for one in words if one not in shown]

    assert missing == []
    assert "**" not in shown and "](" not in shown


async def test_a_stranger_reads_no_paper(app: App) -> None:
    for which in Live:
        for path in (f"/dpo/papers/{which}", f"/dpo/papers/{which}.pdf"):
            assert (await app.http.get(path, allow_redirects=False)).status == 303
    assert (await (await sit(app)).get("/dpo/papers/nothing")).status == 404
