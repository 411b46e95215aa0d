"""A person restricts, objects, takes that back and is erased, in their own session."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from audit.kinds import Kind
from consent.keys.keystore import KeyStore
from consent.tables import suppression
from gateway.callers.api_keys import Scope
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving import certificate
from gateway.flows.proving.verify import verify
from gateway.look.translations import translations
from storage.errors import StorageAway
from tests.http.test_my_data import csrf, fresh_link, session
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call, queue
from tests.support.databases import Databases

BOB = "bob@example.org"
DAY = timedelta(days=1)
STILL_COMES = "A message that had already left us may still arrive."
RESTRICTED = "Stored. We start none of these mails any more."
OBJECTED = "Stored. What you agreed to has ended, and we start no such mail any more."
NOTHING_AGAIN = (
    "Nothing counts again by that alone: no such mail begins before you sign up anew and confirm."
)
CHANGED = "This has changed in the meantime, and nothing was lifted. Please read it again."


@dataclass
class Visit:
    """Somebody in their session."""

    app: App
    cookie: dict[str, str]
    token: str

    async def get(self, path: str) -> str:
        async with self.app.http.get(path, headers=self.cookie) as answer:
            assert answer.status == 200, path
            return await answer.text()

    async def post(self, path: str, **fields: Any) -> str:
        status, text = await self.try_post(path, **fields)
        assert status == 200, (path, status)
        return text

    async def try_post(self, path: str, **fields: Any) -> tuple[int, str]:
        said = {"csrf": self.token, **fields}
        async with self.app.http.post(
            path, data=said, headers=self.cookie, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text()


async def visit(app: App) -> Visit:
    person = await session(app)
    return Visit(app, person, await csrf(app, person))


def said(sentence: str, language: str) -> str:
    return translations(language).gettext(sentence)


async def sound(app: App) -> list[str]:
    """What a verification says: nothing."""
    await app.tick()
    found = await verify(app.parts)
    return [*map(str, found.report.findings), *found.rows]


async def kinds(app: App, *wanted: Kind) -> list[str]:
    """The events of these kinds, in the order of the log."""
    await app.tick()
    _, page = await call(app, await app.key(), "GET", "/v1/audit/events?limit=1000")
    return [one["kind"] for one in page["events"] if one["kind"] in wanted]


async def asked_mails(app: App, *purposes: str) -> int:
    """How many confirmation mails a sign-up of a stranger for Ada brings."""
    await app.sign_up(ADA, *purposes)
    return len([mail for mail in await app.deliver() if b"/confirm/" in mail.raw])


async def test_who_restricts_gets_no_mail_until_they_lift_it(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    await queue(app, text="Hello.")

    assert "What you agreed to stands" in await me.get("/my-data/restrict")
    assert await app.permission() == "granted"
    for _ in range(2):  # repeated: the same answer, and one event
        shown = await me.post("/my-data/restrict?locale=de")
        assert said(RESTRICTED, "de") in shown
        assert said(STILL_COMES, "de") in shown

    assert await app.permission() == "restricted"
    assert await app.deliver() == []
    assert await asked_mails(app, "updates") == 0
    assert "restricted since" in await me.get("/my-data")
    assert "the use of your data is restricted" in await me.get("/my-data/restrict")
    app.step(DAY + timedelta(seconds=1))
    assert await fresh_link(app)  # Art. 15 stays open
    assert await sound(app) == []

    me = await again(app)
    assert "The restriction is lifted." in await me.post("/my-data/restrict", answer="lift")
    assert "The restriction is lifted." in await me.post("/my-data/restrict", answer="lift")

    assert await app.permission() == "granted"
    await queue(app, text="Hello.")
    went = [b"List-Unsubscribe:" in one.raw for one in await app.deliver()]
    assert went == [False, True], "first what tells of it"
    told = await kinds(app, Kind.SUBJECT_RESTRICTED, Kind.SUBJECT_UNRESTRICTED)
    assert told == [Kind.SUBJECT_RESTRICTED, Kind.SUBJECT_UNRESTRICTED]
    assert await sound(app) == []


async def again(app: App) -> Visit:
    """A new session, another day."""
    app.step(DAY + timedelta(seconds=1))
    return await visit(app)


async def test_an_objection_ends_everything_and_only_its_mailbox_lifts_it(app: App) -> None:
    await app.subscribe()
    me = await visit(app)
    await queue(app, text="Hello.")

    assert "at any time" in await me.get("/my-data/object")
    shown = await me.post("/my-data/object?locale=de")

    assert said(OBJECTED, "de") in shown
    assert said(NOTHING_AGAIN, "de") in shown
    assert await app.permission() == "objected"
    assert await app.deliver() == []
    assert await asked_mails(app) == 0
    assert "you objected on" in await me.get("/my-data")
    app.step(timedelta(seconds=1))
    me = await again(app)
    assert "Kept until" in await me.get("/my-data")

    assert "Your objection is lifted." in await me.post("/my-data/object", answer="lift")

    assert await app.permission() == "withdrawn"
    async with app.parts.data.read() as connection:
        assert (await connection.execute(select(suppression))).all() == []
    told = await kinds(app, Kind.CONSENT_OBJECTED, Kind.SUPPRESSION_LIFTED)
    assert told == [Kind.CONSENT_OBJECTED, Kind.SUPPRESSION_LIFTED]
    assert await sound(app) == []
    assert len(await app.deliver()) == 1, "what tells of it"
    await app.subscribe()
    assert await app.permission() == "granted"
    await (await again(app)).post("/my-data/object")
    assert await app.permission() == "objected"
    assert await sound(app) == []


async def object_by_letter(app: App, purpose: str, email: str = ADA) -> None:
    app.step(timedelta(seconds=2))  # what was sent was spent already
    body = {"to": {"email": email}, "purpose": purpose, "kind": "object", "channel": "letter"}
    status, _ = await call(app, await app.key(), "POST", "/v1/withdrawals", body)
    assert status == 200


async def test_nothing_counts_again_that_the_page_did_not_name(app: App) -> None:
    await app.subscribe(ADA, "newsletter", "updates")
    await object_by_letter(app, "newsletter")
    app.step(timedelta(seconds=1))
    me = await visit(app)
    shown = await me.get("/my-data/object")
    assert re.findall(r'name="again" value="(\w+)"', shown) == ["updates"]
    assert "It counts again as soon as you lift your objection" in shown

    for named in ([], ["newsletter"], ["newsletter", "updates"]):
        assert CHANGED in await me.post("/my-data/object", answer="lift", again=named)
        assert await app.permission(ADA, "updates") == "objected"
    assert "is lifted" in await me.post("/my-data/object", answer="lift", again="updates")

    assert await app.permission(ADA, "updates") == "granted"
    assert await app.permission() == "withdrawn"
    assert await sound(app) == []


async def test_a_mailbox_of_which_another_spelling_objects_is_not_asked(app: App) -> None:
    tagged = "ada+x@example.org"
    for email in (ADA, tagged):
        await app.subscribe(email)
    for email in (ADA, tagged):
        await object_by_letter(app, "newsletter", email)
    app.step(8 * DAY)  # else the week's mails were used up
    me = await visit(app)

    assert "is lifted" in await me.post("/my-data/object", answer="lift")

    assert await asked_mails(app) == 0
    assert (await app.permission(), await app.permission(tagged)) == ("withdrawn", "objected")


async def test_both_stops_stand_until_each_is_lifted(app: App) -> None:
    await app.subscribe(ADA, "newsletter", "updates")
    await object_by_letter(app, "newsletter")
    app.step(timedelta(seconds=1))
    me = await visit(app)
    await me.post("/my-data/restrict")
    assert "You have also restricted" in await me.get("/my-data/object")

    await me.post("/my-data/object", answer="lift", again="updates")

    assert await app.permission(ADA, "updates") == "restricted"
    await me.post("/my-data/restrict", answer="lift")
    assert await app.permission(ADA, "updates") == "granted"


async def test_an_erasure_takes_two_steps_and_shows_what_it_did(app: App) -> None:
    await app.subscribe()
    await app.subscribe(BOB)
    await queue(app, text="Hello.")
    me = await visit(app)
    await queue(app, text="Hello.")

    for looked in (await me.get("/my-data/erase"), await me.post("/my-data/erase")):
        (locked,) = re.findall(r"locked until ([^:]+):", looked)
        assert "Mail Relay GmbH, Germany" in looked
        assert "privacy@acme.example" in looked
    assert await app.permission() == "granted"

    async with app.http.post(
        "/my-data/erase", data={"csrf": me.token, "answer": "erase"}, headers=me.cookie
    ) as answer:
        shown = await answer.text()
        assert answer.status == 200
        assert 'my-data=""' in answer.headers["Set-Cookie"]

    assert "Your data is erased" in shown
    assert f"locked until {locked}" in shown, "the date that was told before"
    assert [mail.to for mail in await app.deliver()] == []
    assert (await app.permission(), await app.permission(BOB)) == ("unknown", "granted")
    assert "Send me a link" in await me.get("/my-data")
    (number,) = re.findall(r"era_[0-9a-v]{26}", shown)
    (link,) = re.findall(r'href="(/my-data/certificate/[^"?]+)\?locale=', shown)
    async with app.http.get(link) as answer:
        assert answer.status == 200
        assert number in answer.headers["Content-Disposition"]
        told = await answer.json()
    assert told["erasure_id"] == number
    assert (told["state"], told["channel"]) == ("done", "my-data")
    assert told["certificate"]["keys_destroyed"] == ["profile"]
    assert told["certificate"]["payloads_deleted"] is None, "by it one could tell what others want"
    async with app.http.get("/my-data/certificate/" + number) as answer:
        assert answer.status == 404, "a number alone opens nothing"
    assert await sound(app) == []


async def test_with_nothing_to_keep_the_page_says_so(
    tmp_path: Path, new_database_url: Databases
) -> None:
    more = (
        '[retention]\nevidence_after_withdrawal = "0d"\n[rights]\nsuppress_after_erasure = "always"'
    )
    async with open_app(tmp_path, new_database_url, "sqlite", more=more) as app:
        await app.subscribe()
        me = await visit(app)

        before = await me.get("/my-data/erase")
        after = await me.post("/my-data/erase", answer="erase")

        assert "What proves your consents" not in before
        assert "A keyed checksum of your address, for twelve months" in before
        assert "nothing is kept" in after
        assert await asked_mails(app) == 0


PATHS = ("/my-data/restrict", "/my-data/object", "/my-data/erase")


async def test_a_post_of_another_session_or_site_does_nothing(app: App) -> None:
    await app.subscribe()
    me = await visit(app)

    for path in PATHS:
        for forged in ("", "x", me.token[:-1]):
            status, _ = await me.try_post(path, csrf=forged, answer="erase")
            assert status == 403, path
        elsewhere = {**me.cookie, "Sec-Fetch-Site": "cross-site"}
        fields = {"csrf": me.token, "answer": "erase"}
        async with app.http.post(path, data=fields, headers=elsewhere) as answer:
            assert answer.status == 403, path
        for method in ("GET", "POST"):
            async with app.http.request(method, path, allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (303, "/my-data"), path
    for path in PATHS[:2]:
        assert (await me.try_post(path, answer="maybe"))[0] == 422
    assert await app.permission() == "granted"


@pytest.mark.parametrize("path", PATHS)
async def test_while_it_cannot_be_stored_nothing_is_answered_as_done(
    app: App, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.subscribe()
    me = await visit(app)
    answer = {"answer": path.rpartition("/")[2]}

    def away(*_: object) -> None:
        raise StorageAway("data")

    with monkeypatch.context() as patched:
        patched.setattr(app.parts.data, "begin", away)
        status, _ = await me.try_post(path, **answer)
    assert (status, await app.permission()) == (503, "granted")

    await me.post(path, **answer)
    assert await app.permission() in ("restricted", "objected", "unknown")


async def test_what_a_store_that_is_away_leaves_undone_is_said_to_go_on(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.subscribe()
    me = await visit(app)

    def away(*_: object) -> None:
        raise StorageAway("key store")

    with monkeypatch.context() as patched:
        patched.setattr(KeyStore, "erase", away)
        patched.setattr(certificate, "look_up", away)
        shown = await me.post("/my-data/erase", answer="erase")

    assert "Your erasure has begun" in shown
    assert "that goes on by itself" in shown
    assert await app.permission() == "unknown"
    (link,) = re.findall(r'href="(/my-data/certificate/[^"?]+)\?locale=', shown)
    async with app.http.get(link) as answer:
        assert (await answer.json())["state"] == "erasing"
    for rule in RetentionRules(app.parts).rules().values():
        while await rule():
            pass
    async with app.http.get(link) as answer:
        assert (await answer.json())["state"] == "done"


async def hold(app: App) -> None:
    """Somebody needs her proof for thirty days."""
    until = (app.parts.clock.wall() + 30 * DAY).isoformat()
    body = {"subject_id": await app.subject(), "reason": "file number 17", "until": until}
    key = await app.key(Scope.SUBJECTS_MANAGE)
    assert (await call(app, key, "POST", "/v1/holds", body))[0] == 201


async def test_who_waits_for_a_hold_is_told_so_and_lifts_nothing(app: App) -> None:
    waits, unliftable = "You asked for erasure on", "cannot be lifted now"
    await app.subscribe(ADA, "newsletter", "updates")
    await object_by_letter(app, "newsletter")
    app.step(timedelta(seconds=1))
    me = await visit(app)
    await hold(app)
    before = await me.get("/my-data/erase")
    (until,) = re.findall(r"as things stand until ([^:]+):", before)
    assert "At once nobody here finds you" not in before

    after = await me.post("/my-data/erase", answer="erase")

    assert "Your erasure waits" in after
    assert f"as things stand until {until}. Until it comes by itself" in after
    for wrong in ("is erased<", "has begun<", "Nobody here finds you", "Done", "nothing is kept"):
        assert wrong not in after, wrong
    (link,) = re.findall(r'href="(/my-data/certificate/[^"?]+)\?locale=', after)
    async with app.http.get(link) as answer:
        assert (await answer.json())["state"] == "held"
    assert await app.deliver() == []

    me = await again(app)
    seen = await me.get("/my-data?locale=de")
    assert "Sie haben am" in seen
    assert "Daten werden für Rechtsansprüche gebraucht" in seen
    assert "/my-data/restrict" not in seen
    for path in PATHS[:2]:
        shown = [await me.get(path), await me.post(path, answer="lift", again="updates")]
        for one in shown:
            assert waits in one
            assert unliftable in one
            assert 'value="lift"' not in one
            assert "is lifted" not in one
    assert waits in await me.post("/my-data/restrict")
    assert await app.permission(ADA, "updates") in ("restricted", "objected")
    assert await kinds(app, Kind.SUBJECT_UNRESTRICTED, Kind.SUPPRESSION_LIFTED) == []
    assert await sound(app) == []


async def test_an_erasure_of_ones_own_answers_what_was_asked_for_by_letter(app: App) -> None:
    await app.subscribe()
    key = await app.key(Scope.SUBJECTS_MANAGE, Scope.SUBJECTS_READ)
    body = {"subject_id": await app.subject(), "kind": "erasure", "channel": "letter"}
    status, asked = await call(app, key, "POST", "/v1/rights-requests", body)
    assert status == 201, asked

    shown = await (await visit(app)).post("/my-data/erase", answer="erase")

    assert "Your data is erased" in shown
    _, became = await call(app, key, "GET", f"/v1/rights-requests/{asked['request_id']}")
    assert became["state"] == "answered"
    assert await sound(app) == []
