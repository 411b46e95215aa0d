"""The log at the desk: a day as a story, its last verification, what is taken out, wordings."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from audit.entry import Entry, parse
from audit.kinds import Actor, Kind
from audit.tables import audit_entry
from consent import tables
from gateway.desk import log_pages
from gateway.flows.proving.remembering import Verifying
from tests.http.test_dpo import ADMIN, WHY, Sitting, enter_all, id_of, looks, sit
from tests.support.apps import ADA, App, open_app
from tests.support.databases import Databases
from tests.support.desk_exports import taken


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        await enter_all(opened)
        await opened.subscribe()
        await opened.tick()
        yield opened


async def shown(sitting: Sitting, path: str, status: int = 200) -> str:
    answer = await sitting.get(path)
    assert answer.status == status, path
    return await answer.text()


async def test_a_day_is_a_story_and_is_filtered_by_kind_and_minute(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = await sit(app, ADMIN)
    await app.tick()
    now = app.parts.clock.wall()
    day, later = now.date().isoformat(), (now + timedelta(minutes=1)).strftime("%H:%M")

    whole = await shown(sitting, "/dpo/log")
    one = await shown(sitting, f"/dpo/log?day={day}&kind=consent.confirmed&at=")
    late = await shown(sitting, f"/dpo/log?day={day}&at={later}")
    before = await shown(sitting, f"/dpo/log?day={now.date() - timedelta(days=1)}&locale=de")
    monkeypatch.setattr(log_pages, "AT_ONCE", 1)
    first = await shown(sitting, f"/dpo/log?day={day}")
    (further,) = re.findall(r'href="(/dpo/log\?[^"]*after=\d+)"', first)
    second = await shown(sitting, further.replace("&amp;", "&"))

    chosen = await sitting.post("/dpo/log?locale=de", day=day, at="", kind="consent.confirmed")

    assert chosen.headers["Location"] == f"/dpo/log?day={day}&kind=consent.confirmed&locale=de"

    def story(page: str) -> list[str]:
        return re.findall(r"<li>([A-Z][^<]+?) <span class=\"quiet\">\(", page)

    assert {"A consent was asked for", "A consent was confirmed", "An operator signed in"} <= set(
        story(whole)
    )
    assert f"Which operator: {await id_of(app, 'admin-1')}" in whole and ADA not in whole
    assert story(one) == ["A consent was confirmed"]
    assert story(late) == []
    assert "Nichts davon geschah in dieser Zeit." in before
    assert story(first) == story(whole)[:1] and story(second) == story(whole)[1:2]


@pytest.mark.parametrize("query", ["day=2026-02-30", "at=25:00", "kind=nothing.such"])
async def test_what_there_is_no_day_minute_or_kind_of_is_said_so(app: App, query: str) -> None:
    page = await shown(await sit(app, ADMIN), f"/dpo/log?{query}", 422)

    assert "There is no such day, minute or kind." in page


async def test_what_the_last_verification_came_to_is_said_in_words(app: App) -> None:
    sitting = await sit(app)
    await app.tick()

    none = await shown(sitting, "/dpo/log")
    await Verifying(app.parts).verify()
    well = await shown(sitting, "/dpo/log")
    async with app.parts.data.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM audit_entry WHERE leaf_index = 1")
    await Verifying(app.parts).verify()
    bad = await shown(sitting, "/dpo/log")

    assert "It was not verified by itself yet" in none
    assert re.search(r"all well, \d+ entries", well) and "Signed: all entries lead" in well
    assert "The verification failed" in bad and "The first is at entry 1." in bad
    assert "all well" not in bad


async def exported(app: App) -> list[Entry]:
    """What the log has of itself being taken out."""
    await app.tick()
    query = select(audit_entry.c.entry).where(audit_entry.c.kind == Kind.AUDIT_EXPORTED)
    async with app.parts.data.read() as connection:
        return [parse(bytes(row[0])) for row in await connection.execute(query)]


async def test_an_authority_gets_its_month_under_the_number_of_its_case(app: App) -> None:
    sitting, day = await sit(app), app.parts.clock.wall().date().isoformat()
    facts = {"since": day, "until": day, "scope": "authority", "format": "csv"}

    without = await sitting.post("/dpo/log/export", **facts)
    answer = await taken(sitting, "/dpo/log/export", **facts, case="17/2026")
    files = zipfile.ZipFile(io.BytesIO(await answer.read())).namelist()

    assert (without.status, "case needs its number" in await without.text()) == (422, True)
    assert (answer.status, answer.content_type) == (200, "application/zip")
    assert any(name.endswith(".csv") for name in files)
    (told,) = await exported(app)
    said = {"operator": await id_of(app), "case": "17/2026", "scope": "authority", "format": "csv"}
    assert told.actor is Actor.OPERATOR and said.items() <= told.refs.items()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param(
            {"scope": "authority", "case": "1", "format": "pdf"}, "cannot be a paper", id="a paper"
        ),
        pytest.param({"case": "Ada"}, "case needs its number", id="a name"),
        pytest.param(
            {"since": "2026-05-02", "until": "2026-05-01"}, "must not be before", id="backwards"
        ),
    ],
)
async def test_what_makes_no_sense_is_not_taken_out_and_said_why(
    app: App, fields: dict[str, str], said: str
) -> None:
    answer = await (await sit(app)).post("/dpo/log/export", **fields)

    assert answer.status == 422
    assert said in await answer.text()
    assert await exported(app) == []


@pytest.mark.parametrize(("form", "begins"), [("bundle", b"PK"), ("pdf", b"%PDF")])
async def test_what_the_log_holds_of_a_person_is_had_with_a_reason(
    app: App, form: str, begins: bytes
) -> None:
    sitting, subject = await sit(app), await app.subject() or ""

    without = await sitting.post("/dpo/log/person", subject=subject, format=form)
    answer = await taken(sitting, "/dpo/log/person", subject=subject, why=WHY, format=form)

    assert without.status == 422
    assert (answer.status, (await answer.read())[: len(begins)]) == (200, begins)
    found = [(actor, said["why"], said["operator"]) for actor, said in await looks(app)]
    assert found == [(Actor.OPERATOR, WHY, "privacy-1")] * 2  # asked for, and fetched


async def test_wordings_and_notices_say_how_many_consents_rest_on_each(app: App) -> None:
    sitting = await sit(app, ADMIN)

    before = await shown(sitting, "/dpo/wordings")
    await app.subscribe("grace@example.org")
    after = await shown(sitting, "/dpo/wordings")
    async with app.parts.data.read() as connection:
        hashes = list((await connection.execute(select(tables.consent_text.c.hash))).scalars())

    assert all(one in after for one in hashes)
    assert before.count("1 consent rests on it.") == 2  # the wording, and the notice that it names
    assert after.count("2 consents rest on it.") == 2
    assert "Confirmed from" in after and "Privacy notices" in after
