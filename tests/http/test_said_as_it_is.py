"""Pages, mails and papers say what is so to who meets them late, twice or in another language."""

from __future__ import annotations

import email.policy
from email import message_from_bytes

import pytest

from tests.http.test_again import asked, leave
from tests.http.test_my_data import fresh_link
from tests.http.test_people_rights import said, visit
from tests.http.test_recipients import text_of
from tests.support.apps import App

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])

RESTRICTED = "Not mailed: you had the use of your data restricted."
OBJECTED = "Not mailed: you objected to advertising."
USED = "It has been used, or is too old"
SELDOM = "To the same mailbox the next link goes a day later at the earliest"


@pytest.mark.parametrize("language", ["en", "de"])
async def test_what_is_confirmed_and_not_mailed_is_said_to_be_so_wherever_it_is_shown(
    app: App, language: str
) -> None:
    await app.subscribe()
    me = await visit(app)
    shown = [f"/my-data?locale={language}", f"/my-data/why?locale={language}"]
    for page in shown:
        assert said(RESTRICTED, language) not in await me.get(page)

    await me.post("/my-data/restrict")

    for page in shown:
        assert said(RESTRICTED, language) in await me.get(page)
    paper = await me.post(f"/my-data/export?locale={language}", format="html")
    assert said(RESTRICTED, language) in paper
    lifted = await me.post(f"/my-data/restrict?locale={language}", answer="lift")
    assert said("What you agreed to counts again.", language) in lifted
    assert said("Restrict the use", language) + "</button>" not in lifted, "it was just lifted"
    for page in shown:
        assert said(RESTRICTED, language) not in await me.get(page)
    await me.post("/my-data/object")
    assert said(OBJECTED, language) not in await me.get(shown[0]), "it is not confirmed any more"


async def test_a_link_that_was_used_says_so_and_when_the_next_one_comes(app: App) -> None:
    await app.subscribe()
    assert SELDOM in await text_of(app, "/my-data")
    path = f"/my-data/{await fresh_link(app)}"
    assert SELDOM in await text_of(app, path)
    async with app.http.post(path, allow_redirects=False) as opened:
        assert opened.status == 303

    async with app.http.get(path) as used:
        text = await used.text()

    assert used.status == 410
    assert "This link does nothing any more" in text
    assert USED in text
    assert SELDOM in text
    assert "expired" not in text


@pytest.mark.parametrize("language", ["en", "de"])
async def test_who_asks_to_be_asked_again_reads_what_happened(app: App, language: str) -> None:
    links = await leave(app)

    (mail,) = await asked(app, links["again"])

    read = message_from_bytes(mail.raw, policy=email.policy.default)
    assert read["Subject"] == "Please confirm that you want these mails: Newsletter (Acme)"
    for kind in ("plain", "html"):
        part = read.get_body([kind])
        text = "" if part is None else str(part.get_content())
        assert "By a link in one of our mails, somebody, most likely you" in text
        assert "This address was entered" not in text
    page = await text_of(app, f"/confirm/{mail.token('confirm')}?locale={language}")
    assert said("Please confirm that you want these mails", language) in page
    assert said("Your address was given to us to receive mails.", language) not in page
