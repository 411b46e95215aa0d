"""The evidence of a consent as a paper: each sentence is so, in German and in English."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from audit.kinds import Actor
from consent.model import State
from gateway.flows.proving.consent_evidence import Evidences, Opening
from gateway.flows.proving.consent_proof import ConsentEvidence
from gateway.flows.proving.exports import at_once
from gateway.http import evidence_paper
from gateway.look.papers import Facts, Heading, Listing, Quote, Words
from gateway.look.translations import translations
from tests.support.apps import ADA, App, open_app
from tests.support.calls import queue
from tests.support.databases import Databases
from tests.support.proofs import WHY, consent_of, evidence, hand_over, proven

BERLIN = '[rights]\ncountry = "DE"\ntime_zone = "Europe/Berlin"\n'
LANDING = "https://www.acme.example/landing"


@pytest.fixture
async def berlin(tmp_path: Path, new_database_url: Databases, dialect: str) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, more=BERLIN) as app:
        yield app


async def found(app: App, email: str = ADA) -> ConsentEvidence:
    parts = app.parts
    stores = (parts.data, parts.keystore)
    evidences = Evidences(*stores, parts.consents, parts.log, parts.clock, at_once)
    made = await evidences.of(await consent_of(app, email), Opening(Actor.OPERATOR, WHY))
    assert made is not None
    return made


def said(app: App, made: ConsentEvidence, locale: str = "en") -> str:
    """Every word of the paper, a line for each block."""
    lines = []
    for block in evidence_paper.paper(made, app.parts.config, locale).blocks:
        match block:
            case Heading(text) | Words(text) | Quote(text):
                lines.append(text)
            case Facts(facts):
                lines += [f"{name}: {value}" for name, value in facts]
            case Listing(items):
                lines += items
            case _:
                raise AssertionError(block)
    return "\n".join(lines)


async def test_the_paper_says_what_happened_who_served_and_what_is_not_known(berlin: App) -> None:
    app = berlin
    _, mail = await proven(app, page_url=LANDING, profile={"first_name": "Ada"})
    made = await found(app)

    paper = said(app, made)

    for line in (
        "Confirmed: the consent stands.",
        f"Address: {ADA}",
        "Newsletter\nYes, send me the newsletter.",
        f"It was asked for, with the address {ADA}.",
        "It was confirmed: by the button on the page behind the link in that mail.",
        f"Page: {LANDING}",
        "Who showed the wording: whoever passed the request on, as they say",
        "Typed: First name: Ada",
        "Made again to the byte",
        "Subject: Please confirm your sign-up: Newsletter (Acme)",
        f"/confirm/{mail.token('confirm')}",
        "To the mail server: mx.relay.example:25",
        "Encrypted: TLSv1.3, TLS_AES_256_GCM_SHA384, mx.relay.example, sha256:abab",
        "It answered: 250 2.0.0 Ok: queued as 4bXk2d0Qz3z9vNs",
        "Its name for the mail: 4bXk2d0Qz3z9vNs",
        "Confirmed by it: yes: this link was in this mail, and confirmed",
        "neither is kept as proof",
        "Which person pressed the button.",
        "Privacy notice for our mails",
    ):
        assert line in paper, line
    assert re.search(r"entry \d+ of the log test\.example/audit/gateway", paper)
    assert "23 November 2026, 10:00:00 Europe/Berlin (2026-11-23 09:00:00 UTC)" in paper
    assert "What does not fit" not in paper
    german = said(app, made, "de")
    assert "23. November 2026, 10:00:00 Europe/Berlin (2026-11-23 09:00:00 UTC)" in german
    assert "Bytegenau wiederhergestellt" in german
    assert not [one for one in paper.split("\n") if one in german and one in english_only()]


def english_only() -> set[str]:
    """Sentences of the paper whose German is another."""
    words = translations("de")
    return {one for one in evidence_paper._STATES.values() if words.gettext(one) != one}


async def test_a_paper_is_for_ever_and_for_who_does_not_see(berlin: App) -> None:
    consent, _ = await proven(berlin)

    for locale in ("de", "en"):
        status, kind, raw = await evidence(berlin, consent, f"?format=pdf&locale={locale}")

        assert (status, kind) == (200, "application/pdf")
        assert b"pdfuaid:part" in raw
        assert b"pdfaid:part" in raw


async def test_the_paper_says_how_many_mails_it_allowed(app: App) -> None:
    await proven(app)
    nothing = said(app, await found(app))
    for subject in ("May", "June"):
        await queue(app, subject=subject, text="Hello.")
    await hand_over(app)

    made = await found(app)

    assert "The log tells of no mail that rested on it." in nothing
    paper = said(app, made)
    assert (
        "What it allowed\nThe log tells of 2 mails that rested on it.\nFirst permitted: " in paper
    )
    assert "The JSON file names each of them, with what became of it." in paper
    assert made.uses is not None
    some = said(app, replace(made, uses=replace(made.uses, are_all=False)))
    assert "Of the mails that rested on it the newest 2 were read." in some


async def test_each_end_of_a_consent_is_said_as_it_is(app: App) -> None:
    await app.http.post("/forms/signup", json=await app.posted())
    await app.tick()
    asked = await found(app)
    assert "The log tells of no mail that asked for it." in said(app, asked)
    (mail,) = await hand_over(app)
    lapsed = replace(await found(app), state=State.LAPSED)
    assert "Never confirmed: this is no consent." in said(app, lapsed)
    assert "Asked for, and not confirmed: this is no consent." in said(app, await found(app))
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    key = await app.key()
    letter = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "letter"}
    await app.http.post("/v1/withdrawals", json=letter, headers=key)

    ended = said(app, await found(app))

    assert "Confirmed, and withdrawn later." in ended
    passed_on = "It was passed on by a program with a key."
    assert f"It was withdrawn: by letter. {passed_on}" in ended
    assert f"The person objected to advertising: by letter. {passed_on}" in ended
    expired = replace(await found(app), state=State.EXPIRED)
    assert "Confirmed, and ended by itself later." in said(app, expired)
    rejecting = await app.confirmation("grace@example.org")
    await app.http.post(f"/confirm/{rejecting}", data={"answer": "reject"})
    rejected = said(app, await found(app, "grace@example.org"))
    assert "Rejected: this is no consent." in rejected
    assert "It was rejected: " in rejected
    assert "passed on" not in rejected
    await app.confirmation("bob@example.org")
    app.step(timedelta(hours=73))
    await app.tick()
    over = said(app, await found(app, "bob@example.org"))
    assert "It ended without a confirmation." in over
