"""A person takes along everything that is held about them, in their own session."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import trail
from audit.kinds import Kind
from consent.evidence import read
from consent.subject_evidence import Exported
from gateway.errors import Busy
from gateway.flows.proving.verify import verify
from gateway.flows.rights.dossier import Dossier
from gateway.flows.rights.handing_out import HandingOut, by_the_person
from gateway.http.turns import Turns
from gateway.limits import EXPORTS, Meter
from gateway.look.translations import translations
from tests.http.test_people_rights import Visit, visit
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call, queue
from tests.support.databases import Databases

NAME = "<b>#[$*_"
PAGE = "https://www.acme.example/a"
SAID = (
    "Mails to you, and what allowed each",
    "Your consent",
    "A request that had to be confirmed",
    "What you asked for by right",
    "When your data was opened, and why",
    "The proof of a consent, after its end",
    "This paper leaves out the details of each event, such as what was entered with a sign-up, and"
    " what mails say. The JSON file has all of it.",
)


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "sqlite") as opened:
        yield opened


async def taken(me: Visit, form: str | None, query: str = "") -> tuple[int, bytes]:
    said = {"csrf": me.token} | ({} if form is None else {"format": form})
    url = f"/my-data/export{query}"
    async with me.app.http.post(url, data=said, headers=me.cookie, allow_redirects=False) as answer:
        return answer.status, await answer.read()


async def mailed(app: App) -> None:
    """Ada signed up with a hostile name, confirmed, and got one mail."""
    body = await app.posted(profile={"first_name": NAME}, page_url=PAGE)
    await app.http.post("/forms/signup", json=body)
    (mail,) = await app.deliver()
    fields = {"answer": "confirm", "profile.first_name": NAME}
    await app.http.post(f"/confirm/{mail.token('confirm')}", data=fields)
    await queue(app, text="Hello, Ada.")
    assert len(await app.deliver()) == 1


async def exports(app: App) -> list[Exported]:
    subject = await app.subject()
    vault = await app.parts.keystore.vault([subject])
    async with app.parts.data.snapshot() as connection:
        told = await trail.told(connection, [subject], [Kind.SUBJECT_EXPORTED], vault)
    found = [read(one.kind, one.facts) for one in told]
    return [one for one in found if isinstance(one, Exported)]


async def test_everything_that_is_held_is_shown_and_taken_along_and_told(app: App) -> None:
    await mailed(app)
    key = await app.key()
    asked = {"email": ADA, "kind": "access", "channel": "letter"}
    _, made = await call(app, key, "POST", "/v1/rights-requests", asked)
    answer = {"reason": "answered by letter"}
    await call(app, key, "POST", f"/v1/rights-requests/{made['request_id']}/answer", answer)
    why = {"Access-Reason": "case 17"}
    await app.http.post("/v1/subjects/lookup", json={"email": ADA}, headers=key | why)
    me = await visit(app)

    _overview(await me.get("/my-data"))
    status, raw = await taken(me, None)
    assert status == 200
    _for_machines(json.loads(raw))
    for locale in ("en", "de"):
        status, raw = await taken(me, "html", f"?locale={locale}")
        assert status == 200
        _for_people(raw.decode(), locale)
    status, raw = await taken(me, "pdf", "?locale=de")
    assert status == 200
    assert raw.startswith(b"%PDF-")
    assert b"/Lang(de)" in raw

    told = await exports(app)
    assert [one.form for one in told] == ["json", "html", "html", "pdf"]
    assert all(0 < one.took.total_seconds() < 120 for one in told)
    await app.tick()
    found = await verify(app.parts)
    assert [*map(str, found.report.findings), *found.rows] == []


def _overview(shown: str) -> None:
    assert "Allowed by: Your consent (23 November 2026)" in shown
    assert "Allowed by: A request that had to be confirmed (23 November 2026)" in shown
    assert (
        "Allowed by: A service mail: something was asked for, withdrawn, or is to be kept" in shown
    )
    assert "Yes, send me the newsletter." in shown
    assert "<dt>The proof of a consent, after its end</dt><dd>3 years</dd>" in shown
    for form in ("pdf", "html", "json"):
        assert f'name="format" value="{form}"' in shown


def _for_machines(held: dict[str, Any]) -> None:
    assert (held["email"], held["profile"]) == (ADA, {"first_name": NAME})
    (consent,) = held["consents"]
    assert consent["state"] == "confirmed"
    assert consent["text"]["bundle"]["text"] == "Yes, send me the newsletter."
    assert consent["story"][0]["facts"]["page_url"] == PAGE
    news = next(one for one in held["messages"] if one["kind"] == "marketing")
    assert news["content"] == {"subject": "s", "html": None, "text": "Hello, Ada."}
    (permit,) = news["permits"]
    assert permit["ground"] == {"kind": "consent", "id": consent["consent_id"]}
    assert (permit["outcome"], permit["code"]) == ("sent", 250)
    (request,) = held["rights_requests"]
    assert (request["kind"], request["reason"]) == ("access", "answered by letter")
    told = {one["kind"] for one in held["events"]}
    assert {"consent.confirmed", "permit.batch", "delivery.batch", "rights.answered"} <= told
    looks = [one["facts"]["why"] for one in held["events"] if one["kind"] == "subject.accessed"]
    assert "case 17" in looks
    assert held["recipients"][0]["name"] == "Mail Relay GmbH"
    assert held["kept_for"]["bodies"] == "30 days"
    assert held["left_out"] == {"messages": 0, "contents": 0, "older_events": False}
    mails = json.dumps([one["content"] for one in held["messages"]])
    assert "/confirm/" not in mails, "no link that opens or ends something"
    assert "/my-data/" not in mails


def _for_people(page: str, locale: str) -> None:
    say = translations(locale).gettext
    assert f"<h1>{say('Your data')}</h1>" in page
    assert "&lt;b&gt;#[$*_" in page
    assert NAME not in page
    for sentence in SAID:
        assert say(sentence) in page, sentence
    assert "answered by letter" in page
    assert "case 17" in page
    assert "Mail Relay GmbH" in page
    assert "http://gateway.example/notices/sha256:" in page
    assert "<script" not in page


async def test_a_file_is_for_the_session_alone_and_not_for_ever(
    tmp_path: Path, new_database_url: Databases
) -> None:
    async with open_app(tmp_path, new_database_url, "sqlite", limits=True) as app:
        await app.subscribe()
        me = await visit(app)

        data = {"csrf": me.token, "format": "json"}
        async with app.http.post("/my-data/export", data=data, headers=me.cookie) as answer:
            headers = answer.headers
        others = [
            (await taken(Visit(app, {}, me.token), "json"))[0],
            (await taken(Visit(app, me.cookie, "forged"), "json"))[0],
            (await taken(me, "exe"))[0],
        ]
        said = [(await taken(me, "json"))[0] for _ in range(EXPORTS.burst)]
        app.step(EXPORTS.interval)
        later = (await taken(me, "json"))[0]

    assert headers["Content-Disposition"] == 'attachment; filename="my-data.json"'
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert others == [303, 403, 422]
    assert said == [200] * (EXPORTS.burst - 1) + [429]
    assert later == 200


async def test_nothing_is_handed_out_of_who_is_erased_meanwhile(app: App) -> None:
    await app.subscribe()
    subject, key = await app.subject() or "", await app.key()

    async def aside(work: Callable[[], Any]) -> Any:
        return work()

    async def written(_: Dossier) -> str:
        app.step(timedelta(seconds=2))  # what was sent was spent already
        status, _ = await call(app, key, "POST", "/v1/erasures", {"email": ADA})
        assert status == 202
        return "everything"

    asked = by_the_person("json", timedelta)

    assert await HandingOut(app.parts, aside).of(subject, asked, written) is None
    async with app.parts.data.read() as connection:
        assert await app.parts.log.events(connection, kind=Kind.SUBJECT_EXPORTED) == []


async def test_more_than_a_few_at_once_are_told_to_come_again() -> None:
    turns = Turns(most=1)

    async with turns.place():
        with pytest.raises(Busy):
            async with turns.place():
                raise AssertionError
    async with turns.place():
        pass


def test_an_export_limit_forgets_who_waits_for_nothing() -> None:
    meter, now = Meter(EXPORTS), datetime(2026, 11, 23, tzinfo=UTC)

    for name in range(10_001):
        assert meter.count(str(name), now) is None
        now += timedelta(seconds=1)

    assert len(meter._buckets) < 5_000
