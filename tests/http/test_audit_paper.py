"""A report about the log: in sentences, in two languages, and with what checking it gave."""

from __future__ import annotations

from datetime import UTC, tzinfo
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, update

from audit.kinds import Actor, Kind
from audit.tables import audit_entry
from consent import address
from gateway.callers.api_keys import Scope
from gateway.flows.errors import TooManyEvents
from gateway.flows.proving import reports
from gateway.flows.proving.export_forms import Form
from gateway.flows.proving.exports import Exports, Taking, at_once
from gateway.flows.rights import handing_out
from gateway.flows.sending.permission import Question
from gateway.http import audit_paper
from gateway.look.event_words import ACTORS, KINDS
from tests.support.apps import ADA, App

BERLIN = ZoneInfo("Europe/Berlin")
TAKING = Taking(Form.PDF, Actor.API)


async def told(app: App, locale: str, zone: tzinfo = UTC, held: tuple[str, ...] = ()) -> str:
    """All words of the report about the whole log, as they are set."""
    taking = Taking(Form.PDF, Actor.API, zone=zone)
    export = await Exports(app.parts, at_once).of_log(taking)
    assert export is not None
    return words_of(app, await reports.report(export, held), locale)


def words_of(app: App, report: reports.Report, locale: str) -> str:
    made = audit_paper.paper(report, app.parts.config, locale, "2026-17")
    return repr(made.document())


def test_every_kind_and_actor_has_words() -> None:
    assert KINDS.keys() == set(Kind)
    assert ACTORS.keys() == set(Actor)


async def test_a_report_tells_in_sentences_what_happened_and_names_nobody(app: App) -> None:
    await app.subscribe()
    await app.tick()

    english, german = await told(app, "en"), await told(app, "de", BERLIN)

    assert "A consent was confirmed. By the person. Entry " in english
    assert "Eine Einwilligung wurde bestätigt. Durch die Person. Eintrag " in german
    for said in (english, german):
        assert ADA not in said
        assert app.parts.log.first in said
        assert "2026-17" in said
    assert "it is sound" in english
    assert "Signed: all entries lead" in english
    assert "Es ist unversehrt" in german
    assert "cover entries" in english
    assert "Europe/Berlin" in german
    assert " UTC)" in german


async def test_the_paper_names_a_bundle_that_can_be_had_and_is_that(app: App) -> None:
    await app.subscribe()
    await app.tick()
    exports = Exports(app.parts, at_once)
    paper = await exports.of_log(TAKING)
    assert paper is not None

    checked = (await reports.report(paper)).checked
    taking = Taking(Form.BUNDLE, Actor.API)
    bundle = await exports.of_log(taking, name=checked.name)

    assert bundle is not None
    digest = sha256()
    async for piece in bundle.read():
        digest.update(piece)
    assert digest.hexdigest() == checked.digest


@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "altered"])
async def test_a_damaged_log_is_said_to_be_so_first(app: App, deleted: bool) -> None:
    await app.subscribe()
    await app.tick()
    change: Any = delete(audit_entry) if deleted else update(audit_entry).values(entry=b"x" * 50)
    async with app.parts.data.begin() as connection:
        await connection.execute(change.where(audit_entry.c.kind == Kind.CONSENT_CONFIRMED))

    said = await told(app, "en")

    assert "The check FAILED" in said
    assert "Entries that cannot be read, and are not told of here: 1." in said
    assert "it is sound" not in said
    assert "Signed: all" not in said


async def test_a_report_about_a_person_has_what_was_opened(app: App) -> None:
    await app.subscribe()
    await app.tick()
    asked = handing_out.by_the_operator("case 17")

    export = await Exports(app.parts, at_once).of_person(Question("", address.parse(ADA)), asked)
    assert export is not None
    said = words_of(app, await reports.report(export), "en")

    assert "Report on what the audit log holds of a person" in said
    assert ADA in said
    assert "it is sound" in said


async def test_more_events_than_a_paper_tells_of_are_refused_with_the_way_out(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.subscribe()
    await app.tick()
    monkeypatch.setattr(reports, "MOST", 3)
    export = await Exports(app.parts, at_once).of_log(TAKING)
    assert export is not None

    with pytest.raises(TooManyEvents):
        await reports.report(export)
    key = await app.key(Scope.AUDIT_READ)
    async with app.http.get("/v1/audit/export?format=pdf", headers=key) as answer:
        (problem,) = (await answer.json())["errors"]

    assert answer.status == 422
    assert problem == {
        "pointer": "/format",
        "detail": "tells of 3 events at most: ask for bundle, csv or xlsx, or a shorter time",
    }


async def test_it_is_handed_out_as_pdf(app: App) -> None:
    await app.subscribe()
    await app.tick()
    key = await app.key(Scope.AUDIT_READ)
    query = "?format=pdf&locale=de&zone=Europe/Berlin&case=2026-17"

    async with app.http.get(f"/v1/audit/export{query}", headers=key) as answer:
        body = await answer.read()

    assert (answer.status, answer.content_type) == (200, "application/pdf")
    assert body.startswith(b"%PDF-")
