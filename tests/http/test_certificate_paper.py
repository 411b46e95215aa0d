"""The certificate of an erasure as PDF says what its JSON does, in German and in English."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from consent import suppressions
from consent.tables import suppression
from gateway.callers.api_keys import Scope
from gateway.config.config import Controller
from gateway.http import certificate_paper
from gateway.http.certificates import CertificateView, ErasureView, LockedEvidence, ToldView
from gateway.look import moments
from gateway.look.translations import translations
from tests.http.test_people_rights import visit
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call
from tests.support.databases import Databases

PDF = {"Accept": "application/pdf"}
AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
CONTROLLER = Controller(
    name="Acme GmbH",
    postal_address="Musterstr. 1, 10115 Berlin, Germany",
    contact="privacy@acme.example",
)
PROOF_GONE = "The keys of what proved consents, and the mails sent under them"
WAITS = (
    "It waits, for the data is needed for legal claims (Art. 17(3)(e) GDPR), and comes by itself"
    " after that."
)
VIEW = ErasureView(
    erasure_id="era_" + "0" * 26,
    state="erasing",
    channel="letter",
    received_at=AT,
    asked_at=AT,
    due_at=AT,
)
DONE = CertificateView(
    done_at=AT,
    keys_destroyed=["evidence", "profile"],
    payloads_deleted=9,
    items_deleted=3,
    event_id="evt_" + "0" * 26,
    meaning=[],
    copies="",
    copies_until=AT,
    told=[],
    recipients=[],
)


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "sqlite") as opened:
        yield opened


def said(view: ErasureView, locale: str) -> str:
    """Every word of the paper."""
    made = certificate_paper.paper(view, CONTROLLER, locale)
    return json.dumps(made.document(), ensure_ascii=False)


async def test_a_persons_own_page_and_the_api_give_the_paper_with_every_fact_of_the_json(
    app: App,
) -> None:
    await app.subscribe()
    me, key = await visit(app), await app.key(Scope.SUBJECTS_MANAGE)
    app.step(timedelta(seconds=2))

    shown = await me.post("/my-data/erase?locale=de", answer="erase")
    (link,) = re.findall(r'href="(/my-data/certificate/[^"]+)\?format=pdf&amp;locale=de"', shown)
    async with app.http.get(link) as answer:
        path = f"/v1/erasures/{(await answer.json())['erasure_id']}"

    asked = ((f"{link}?format=pdf&locale=de", {}), (path, key | PDF))
    for url, headers in asked:
        async with app.http.get(url, headers=headers) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "application/pdf"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert re.search(r'filename="era_\w+\.pdf"', answer.headers["Content-Disposition"])
            raw = await answer.read()
        assert raw.startswith(b"%PDF-")
        assert f"/Lang({'en' if headers else 'de'})".encode() in raw
    for wrong in ("?format=exe", "?form=pdf"):
        assert (await call(app, key, "GET", path + wrong))[0] == 422

    _, told = await call(app, key, "GET", path + "?format=json", Accept="application/pdf")
    view = ErasureView.model_validate(told)
    made = view.certificate
    assert made is not None
    assert made.locked_evidence is not None
    kept = app.parts.config.retention.takings_away
    assert made.copies_until - made.done_at == kept == timedelta(days=90)
    for locale in ("en", "de"):
        paper = said(view, locale)
        assert view.erasure_id in paper
        assert made.event_id in paper
        told = [view.received_at, view.asked_at, made.done_at]
        assert all(moments.moment(at, locale) in paper for at in told)
        for day in (view.due_at, made.copies_until, made.locked_evidence.until):
            assert moments.day(day, locale) in paper
        assert [one.name for one in made.recipients] == ["Mail Relay GmbH"]
        assert "Mail Relay GmbH" in paper
        assert ADA not in paper


@pytest.mark.parametrize("locale", ["en", "de"])
def test_each_state_is_said_as_it_is(locale: str) -> None:
    say = translations(locale).gettext
    done = DONE.model_copy(update={"locked_evidence": None})
    locked = LockedEvidence(what="proof", until=AT.replace(year=2029))

    nothing = said(VIEW.model_copy(update={"certificate": done}), locale)
    some = DONE.model_copy(update={"keys_destroyed": ["profile"], "locked_evidence": locked})
    something = said(VIEW.model_copy(update={"certificate": some}), locale)
    told = [
        ToldView(webhook="crm", name="Customer File AG", acknowledged_at=AT),
        ToldView(webhook="two", name="Second AG"),
        ToldView(webhook="three", name="Third AG", given_up=True),
    ]
    heard = said(
        VIEW.model_copy(update={"certificate": done.model_copy(update={"told": told})}), locale
    )
    begun = said(VIEW, locale)
    held = said(VIEW.model_copy(update={"state": "held"}), locale)

    assert say("Told that the data is erased:") in heard
    assert say("Told that the data is erased:") not in nothing
    acknowledged = say("%(name)s: acknowledged on %(moment)s")
    assert (
        acknowledged % {"name": "Customer File AG", "moment": moments.moment(AT, locale)} in heard
    )
    assert say("%(name)s: not acknowledged yet") % {"name": "Second AG"} in heard
    assert say("%(name)s: not acknowledged, and asked no more") % {"name": "Third AG"} in heard
    assert say("Nothing: no proof of a consent is kept.") in nothing
    assert say(PROOF_GONE) in nothing
    assert '"12"' in nothing
    assert say(PROOF_GONE) not in something
    assert moments.day(locked.until, locale) in something
    assert say("Keys and data are being destroyed; that goes on by itself.") in begun
    assert say(WAITS) in held
    assert say("Mails that were received stay in the mailbox.") not in held


@pytest.mark.parametrize(
    ("policy", "on_the_page", "on_the_paper", "left"),
    [
        ("none", "", "", 0),
        ("objection", "stopped such mails: a keyed checksum", "objected to or stopped: a keyed", 1),
        ("always", "for twelve months, so that", "A keyed checksum of the address, for twelve", 2),
    ],
)
async def test_what_a_mailbox_had_stopped_stays_as_a_checksum_and_is_named(
    policy: str,
    on_the_page: str,
    on_the_paper: str,
    left: int,
    tmp_path: Path,
    new_database_url: Databases,
) -> None:
    """Also where they had not objected: what they stopped is respected for its year."""
    more = f'[rights]\nsuppress_after_erasure = "{policy}"\n'
    async with open_app(tmp_path, new_database_url, "sqlite", more=more) as app:
        await app.subscribe()
        me = await visit(app)
        await app.sign_up(ADA, "updates")
        (mail,) = await app.deliver()
        async with app.http.post(f"/stop/{mail.token('stop')}") as answer:
            assert answer.status == 200

        before = await me.get("/my-data/erase")
        after = await me.post("/my-data/erase", answer="erase")

        (link,) = re.findall(r'href="(/my-data/certificate/[^"?]+)\?locale=', after)
        async with app.http.get(link) as answer:
            view = ErasureView.model_validate(await answer.json())
        assert ("keyed checksum" in before) is (policy != "none")
        assert on_the_page in before
        assert on_the_paper in said(view, "en")
        assert ("What stays of the address" in said(view, "en")) is (policy != "none")
        assert await _blocks(app) == left
        app.step(timedelta(days=366))
        async with app.parts.data.begin() as connection:
            await suppressions.purge(connection, app.parts.clock.wall())
        assert await _blocks(app) == 0


async def _blocks(app: App) -> int:
    async with app.parts.data.read() as connection:
        return len((await connection.execute(select(suppression))).all())
