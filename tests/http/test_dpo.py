"""The desk of who answers for the data: who gets in, what each role sees, what the log tells."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import make_mocked_request

from audit import trail as audit_trail
from audit.kinds import Actor, Kind
from consent import address
from consent.keys.vault import Compartment
from gateway.callers import visits
from gateway.callers.operators import Role
from gateway.desk import sessions
from gateway.flows.desk import sign_in
from gateway.flows.desk.staff import Entered
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.holds import Holds
from gateway.flows.sending.permission import Question
from gateway.http.app_keys import PARTS
from gateway.process import routes
from tests.support.apps import ADA, App, open_app, sign_ins_of, staff_of
from tests.support.databases import Databases
from tests.support.desk_routes import ALLOWED, OPENS_BY_A_FILE, OPENS_NOBODY, asked_for

DPO = "privacy@acme.example"
AUDITOR = "auditor@acme.example"
ADMIN = "admin@acme.example"
WHY = "case 2026-17"
MAILBOXES = {"dpo": DPO, "auditor": AUDITOR, "admin": ADMIN}
NAMES = {"dpo": "privacy-1", "auditor": "auditor-1", "admin": "admin-1"}


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        await enter_all(opened)
        yield opened


async def enter_all(app: App) -> None:
    """One of each role."""
    for role, email in MAILBOXES.items():
        await enter(app, email, role, NAMES[role])


async def enter(app: App, email: str, role: str = "dpo", name: str | None = None) -> Entered:
    done = await staff_of(app.parts).enter(address.parse(email), Role(role), name)
    assert isinstance(done, Entered)
    return done


async def id_of(app: App, name: str = "privacy-1") -> str:
    """Which operator has that name."""
    (found,) = [one.row.id for one in await staff_of(app.parts).listed() if one.name == name]
    return found


async def press(app: App, token: str) -> ClientResponse:
    """The button behind a link."""
    return await app.http.post(f"/dpo/link/{token}", allow_redirects=False)


def sitting_by(app: App, answer: ClientResponse) -> Sitting:
    assert answer.status == 303
    ((name, morsel),) = SimpleCookie(answer.headers["Set-Cookie"]).items()
    return Sitting(app, f"{name}={morsel.value}")


async def link(app: App, email: str = DPO) -> str:
    """Ask for a link and read it from the mail."""
    answer = await app.http.post("/dpo/sign-in", data={"email": email})
    assert answer.status == 200
    mails = [one for one in await app.deliver() if one.to == email]
    (mail,) = [one for one in mails if b"/dpo/link/" in one.raw]
    return mail.token("dpo/link")


class Sitting:
    """A browser in which somebody is signed in."""

    def __init__(self, app: App, cookie: str) -> None:
        self.app = app
        self.headers = {"Cookie": cookie}

    async def start(self) -> str:
        return await (await self.app.http.get("/dpo/", headers=self.headers)).text()

    async def get(self, path: str) -> ClientResponse:
        return await self.app.http.get(path, headers=self.headers, allow_redirects=False)

    async def post(self, path: str, **fields: str) -> ClientResponse:
        found = re.search(r'name="csrf" value="([^"]+)"', await self.start())
        csrf = {} if found is None else {"csrf": found[1]}
        return await self.app.http.post(
            path, data=csrf | fields, headers=self.headers, allow_redirects=False
        )

    async def person(self, email: str = ADA) -> str:
        answer = await self.post("/dpo/people", email=email, why=WHY)
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def sit(app: App, email: str = DPO) -> Sitting:
    return sitting_by(app, await press(app, await link(app, email)))


async def looks(app: App, email: str = ADA) -> list[tuple[Actor, dict[str, Any]]]:
    """What a person's trail tells of looks, oldest first."""
    subject = await app.subject(email)
    assert subject is not None
    vault = await app.parts.keystore.vault([subject])
    async with app.parts.data.read() as connection:
        told = await audit_trail.told(connection, [subject], {Kind.SUBJECT_ACCESSED}, vault)
    return [(one.entry.actor, dict(one.facts)) for one in told]


async def test_a_stranger_gets_the_answer_of_an_operator_and_no_mail(app: App) -> None:
    await app.subscribe()

    known = await app.http.post("/dpo/sign-in", data={"email": DPO})
    answers = [
        await app.http.post("/dpo/sign-in", data={"email": one}) for one in (ADA, "no@x.example")
    ]

    for answer in answers:
        assert (answer.status, await answer.text()) == (known.status, await known.text())
    assert [one.to for one in await app.deliver()] == [DPO]


async def test_a_link_works_once_for_half_an_hour(app: App) -> None:
    token = await link(app)
    looked = [await app.http.get(f"/dpo/link/{token}") for _ in range(2)]
    first, again = await press(app, token), await press(app, token)
    shown = await app.http.get(f"/dpo/link/{token}")
    late = await link(app)
    app.step(timedelta(minutes=30))
    over = await press(app, late)

    assert [one.status for one in (*looked, first, again, shown, over)] == [
        *(200, 200),
        *(303, 410, 410, 410),
    ]
    cookie = SimpleCookie(first.headers["Set-Cookie"])["dpo"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")


async def test_over_tls_the_cookie_of_the_desk_is_tied_to_the_host(app: App) -> None:
    server = app.parts.config.server.model_copy(update={"public_url": "https://mail.example"})
    config = app.parts.config.model_copy(update={"server": server})
    secure, response = web.Application(), web.Response()
    secure[PARTS] = replace(app.parts, config=config)

    sessions.give(make_mocked_request("POST", "/", app=secure), response, b"0" * 32)

    (cookie,) = response.cookies.values()
    assert (cookie.key, cookie["path"], cookie["domain"]) == ("__Host-dpo", "/", "")
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Strict")


async def test_a_printed_link_works_once_within_a_day(app: App) -> None:
    one, other = await enter(app, "a@x.example"), await enter(app, "b@x.example")
    assert [one.name, other.name] == ["dpo-1", "dpo-2"]

    app.step(timedelta(hours=24) - timedelta(seconds=1))
    first, again = await press(app, one.token), await press(app, one.token)
    app.step(timedelta(seconds=1))
    over = await press(app, other.token)

    assert [answer.status for answer in (first, again, over)] == [303, 410, 410]
    assert "dpo-1" in await sitting_by(app, first).start()


async def test_of_two_who_press_at_once_one_gets_in(app: App) -> None:
    token = await link(app)

    answers = await asyncio.gather(*(press(app, token) for _ in range(8)))

    assert sorted(one.status for one in answers) == [303, *[410] * 7]


async def test_a_session_ends_half_an_hour_after_the_last_step_and_after_eight_hours(
    app: App,
) -> None:
    await app.subscribe()
    idle, busy = await sit(app), await sit(app)

    for _ in range(2):
        app.step(visits.IDLE - timedelta(seconds=1))
        assert "privacy-1" in await busy.start()
        await busy.person()
    assert "privacy-1" not in await idle.start()
    for _ in range(14):
        app.step(visits.IDLE - timedelta(seconds=1))
        assert "privacy-1" in await busy.start()
        await busy.person()
    app.step(timedelta(seconds=16))

    assert "privacy-1" not in await busy.start()


async def test_links_and_cookies_of_ones_own_pages_and_of_the_desk_do_not_open_the_other(
    app: App,
) -> None:
    await app.subscribe(DPO)
    await app.http.post("/my-data", data={"email": DPO})
    (mail,) = [one for one in await app.deliver() if b"/my-data/" in one.raw]
    own = mail.token("my-data")
    desk = await link(app)

    crossed = [
        await app.http.post(f"/dpo/link/{own}", allow_redirects=False),
        await app.http.post(f"/my-data/{desk}", allow_redirects=False),
    ]
    opened = await app.http.post(f"/my-data/{own}", allow_redirects=False)
    cookie = SimpleCookie(opened.headers["Set-Cookie"])["my-data"].value

    assert [one.status for one in crossed] == [410, 410]
    assert "privacy-1" not in await Sitting(app, f"dpo={cookie}").start()


async def test_nobody_floods_an_operators_mailbox(app: App) -> None:
    for _ in range(sign_in.MOST + 2):
        await app.http.post("/dpo/sign-in", data={"email": DPO})
        await app.tick()

    assert len([one for one in await app.deliver() if one.to == DPO]) == sign_in.MOST


async def test_signing_in_and_out_are_events_and_the_rows_fit_the_log(app: App) -> None:
    sitting = await sit(app)
    left = await sitting.post("/dpo/leave")
    kinds = [Kind.OPERATOR_SIGNED_IN, Kind.OPERATOR_SIGNED_OUT]
    async with app.parts.data.read() as connection:
        told = await audit_trail.happenings(connection, app.parts.log.macs, kinds)

    assert left.status == 303
    assert [one.kind for one in told] == kinds
    assert {one.refs["operator"] for one in told} == {await id_of(app)}
    assert "privacy-1" not in await sitting.start()
    await app.tick()
    assert (await verify(app.parts)).rows == []


def desk_rows() -> set[tuple[str, str]]:
    named = re.compile(r"\{(\w+):[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
    return {(row.method, named.sub(r"{\1}", row.path)) for row in routes.DESK}


def test_every_route_of_the_desk_has_its_roles() -> None:
    assert desk_rows() == ALLOWED.keys()


@pytest.mark.parametrize("role", ["dpo", "auditor", "admin", None])
async def test_each_role_is_answered_what_it_may_and_nothing_else(
    app: App, role: str | None
) -> None:
    await app.subscribe()
    subject = await app.subject() or ""
    before = await looks(app)
    sitting = Sitting(app, "dpo=none") if role is None else await sit(app, MAILBOXES[role])
    everything = {"email": ADA, "subject": subject, "why": WHY, "act": "erase", "sure": "yes"}
    everything |= {"consent": "con_" + "0" * 26, "format": "pdf", "request": "req_" + "0" * 26}
    everything |= {"case": "17/2026", "took": "data", "export": "exp_" + "0" * 26}

    for (method, path), roles in ALLOWED.items():
        if roles is None or path == "/dpo/leave" or (role in roles and path == "/dpo/act"):
            continue
        more = {"kind": "access", "channel": "phone"} if path == "/dpo/cases" else {}
        asked = (
            sitting.post(path, **everything, **more)
            if method == "POST"
            else sitting.get(asked_for(path))
        )
        answer = await asked
        text = await answer.text(errors="replace")
        if role is None:
            assert (answer.status, answer.headers["Location"]) == (303, "/dpo/"), path
        elif role not in roles:
            assert answer.status == 403, path
            assert ADA not in text and subject not in text
        else:
            assert answer.status in (200, 303, 404, 415), (path, method)
            assert answer.headers.get("Location") != "/dpo/", (path, method)
    assert await app.permission() == "granted"  # nobody was erased by who may not
    if role in (None, "admin"):
        assert await looks(app) == before


async def test_a_form_of_another_session_does_nothing(app: App) -> None:
    await app.subscribe()
    one, other = await sit(app), await sit(app)
    found = re.search(r'name="csrf" value="([^"]+)"', await other.start())
    assert found is not None

    data = {"csrf": found[1], "email": ADA, "why": WHY}
    answer = await app.http.post("/dpo/people", data=data, headers=one.headers)
    cross = {**one.headers, "Sec-Fetch-Site": "cross-site"}
    elsewhere = await app.http.post("/dpo/people", data=data, headers=cross)

    assert (answer.status, elsewhere.status) == (403, 403)
    assert await looks(app) == []


async def test_every_answer_with_personal_data_is_told_before_with_operator_and_reason(
    app: App,
) -> None:
    await app.subscribe()
    await app.tick()
    sitting = await sit(app)
    page = await sitting.person()
    subject = await app.subject() or ""
    found = re.search(r'name="consent" value="([^"]+)"', page)
    assert found is not None
    await sitting.post("/dpo/cases", email=ADA, kind="access", channel="phone")
    case = re.findall(r"req_[0-9a-v]{26}", await (await sitting.get("/dpo/cases")).text())[0]
    facts = {"email": ADA, "subject": subject, "why": WHY, "consent": found[1], "request": case}
    facts |= {"reason": "Enclosed.", "kind": "access"}
    posting = {path for method, path in desk_rows() if method == "POST"}

    for path in sorted(posting - OPENS_NOBODY - OPENS_BY_A_FILE):
        told = len(await looks(app))
        answer = await sitting.post(path, **facts, act="erase")
        assert answer.status == 200, path
        assert len(await answer.read()) > 1000
        *_, (actor, said) = await looks(app)
        assert len(await looks(app)) == told + 1, path
        assert (actor, said["why"], said["operator"]) == (Actor.OPERATOR, WHY, "privacy-1")


async def test_looking_for_nobody_is_told_too_and_looking_without_a_reason_shows_nothing(
    app: App,
) -> None:
    await app.subscribe()
    sitting = await sit(app)

    nobody = await sitting.post("/dpo/people", email="grace@example.org", why=WHY)
    without = await sitting.post("/dpo/people", email=ADA, why=" ")

    assert "Nobody is known by this address" in await nobody.text()
    assert (without.status, await looks(app)) == (422, [])
    await app.tick()
    async with app.parts.data.read() as connection:
        rows = await connection.exec_driver_sql(
            "SELECT entry FROM audit_entry WHERE kind = 'subject.accessed'"
        )
        entries = [bytes(row[0]) for row in rows]
    said = f'"operator":"{await id_of(app)}"'.encode()
    assert any(said in one and b'"cm"' not in one for one in entries)


async def test_the_page_tells_the_story_in_both_languages(app: App) -> None:
    await app.subscribe()
    sitting = await sit(app)
    await sitting.person()
    english = await sitting.person()
    subject = await app.subject() or ""
    german = await (await sitting.post("/dpo/person?locale=de", subject=subject, why=WHY)).text()

    for text in (ADA, "A consent was confirmed", "The data of a person was looked at", WHY):
        assert text in english
    assert "Eine Einwilligung wurde bestätigt" in german


@pytest.mark.parametrize(
    ("act", "permission"),
    [("withdraw", "withdrawn"), ("object", "objected"), ("restrict", "restricted")],
)
async def test_what_came_by_phone_is_done_at_the_second_step_alone(
    app: App, act: str, permission: str
) -> None:
    await app.subscribe()
    sitting = await sit(app)
    facts = {"subject": await app.subject() or "", "why": WHY, "act": act, "purpose": "newsletter"}

    first = await sitting.post("/dpo/act", **facts)
    between = await app.permission()
    second = await sitting.post("/dpo/act", **facts, channel="phone", sure="yes")

    assert (first.status, between, second.status) == (200, "granted", 200)
    assert await app.permission() == permission


async def test_an_erasure_at_the_desk_forgets_the_person(app: App) -> None:
    await app.subscribe()
    sitting = await sit(app)
    facts = {"subject": await app.subject() or "", "why": WHY, "act": "erase"}

    first = await sitting.post("/dpo/act", **facts)
    second = await sitting.post("/dpo/act", **facts, channel="letter", sure="yes")

    assert "It cannot be undone" in await first.text()
    assert "The erasure began" in await second.text()
    assert await app.permission() == "unknown"


async def test_who_is_revoked_is_out_at_once_with_all_links(app: App) -> None:
    sitting, unspent = await sit(app), await link(app)
    await app.http.post("/dpo/sign-in", data={"email": DPO})
    await app.tick()  # one more is on its way
    assert "privacy-1" in await sitting.start()

    assert await staff_of(app.parts).revoke(await id_of(app))

    assert "privacy-1" not in await sitting.start()
    assert (await sitting.post("/dpo/people", email=ADA, why=WHY)).status == 303
    underway = [one.token("dpo/link") for one in await app.deliver() if one.to == DPO]
    for token in (unspent, *underway):
        assert (await press(app, token)).status == 410
    await app.http.post("/dpo/sign-in", data={"email": DPO})
    assert [one.to for one in await app.deliver()] == []
    assert (await verify(app.parts)).rows == []


async def test_a_mailbox_of_nobody_who_may_sign_in_is_forgotten(app: App) -> None:
    await app.subscribe(AUDITOR)  # agreed to something, and stays for that
    for one in MAILBOXES.values():
        await link(app, one)
    assert await sign_ins_of(app.parts).let_go() == 0

    for name in ("admin-1", "auditor-1"):
        await staff_of(app.parts).revoke(await id_of(app, name))
    await app.tick()
    await sign_ins_of(app.parts).let_go()
    await app.tick()

    assert await app.subject(ADMIN) is None
    assert await app.subject(AUDITOR) is not None
    assert await app.subject(DPO) is not None
    assert (await verify(app.parts)).rows == []


async def test_who_has_a_stop_a_hold_or_a_case_is_not_forgotten_with_their_seat(app: App) -> None:
    for one in MAILBOXES.values():
        await link(app, one)
    await app.tick()
    stopped, waits = await app.subject(DPO), await app.subject(AUDITOR)
    assert stopped is not None and waits is not None
    headers = await app.key()
    body = {"to": {"email": DPO}, "all": True, "kind": "object", "channel": "letter"}
    assert (await app.http.post("/v1/withdrawals", json=body, headers=headers)).status == 200
    case = {"email": AUDITOR, "kind": "access", "channel": "letter"}
    assert (await app.http.post("/v1/rights-requests", json=case, headers=headers)).status == 201

    for name in NAMES.values():
        await staff_of(app.parts).revoke(await id_of(app, name))
    await app.tick()
    await sign_ins_of(app.parts).let_go()

    assert await app.subject(ADMIN) is None
    assert [await app.subject(DPO), await app.subject(AUDITOR)] == [stopped, waits]


async def test_an_operator_who_is_erased_as_a_person_is_still_known_as_who_looked(
    app: App,
) -> None:
    await app.subscribe()
    await app.subscribe(DPO)
    sitting = await sit(app)
    await sitting.person()
    unspent = await link(app)
    subject = await app.subject(DPO) or ""

    asked = Request(Question("", subject=subject), Actor.OPERATOR, "letter")
    await Erasures(Erasing(app.parts)).erase(asked)
    await app.tick()

    assert await app.subject(DPO) is None
    assert (await press(app, unspent)).status == 410  # it lay in a mailbox that is forgotten
    *_, (_, said) = await looks(app)
    assert said["operator"] == "privacy-1"
    (one,) = [one for one in await staff_of(app.parts).listed() if one.name == "privacy-1"]
    assert not one.revoked
    assert "privacy-1" in await sitting.start()
    assert (await verify(app.parts)).rows == []


async def test_who_was_revoked_long_ago_is_nobody_to_anybody(app: App) -> None:
    operator, staff = await id_of(app), staff_of(app.parts)
    await staff.revoke(operator)
    kept = app.parts.config.retention.staff

    app.step(kept - timedelta(seconds=1))
    assert await RetentionRules(app.parts).staff() == 0
    assert (await app.parts.keystore.vault([operator])).has(operator, Compartment.STAFF)
    app.step(timedelta(seconds=1))
    assert await RetentionRules(app.parts).staff() == 1

    vault = await app.parts.keystore.vault([operator], always=True)
    assert not vault.has(operator, Compartment.STAFF)
    (one,) = [one for one in await staff.listed() if one.row.id == operator]
    assert (one.name, one.revoked) == (None, True)
    await app.tick()
    assert (await verify(app.parts)).rows == []


async def test_what_a_person_takes_along_says_who_looked_and_why(app: App) -> None:
    await app.subscribe()
    await (await sit(app)).person()
    await app.http.post("/my-data", data={"email": ADA})
    (mail,) = [one for one in await app.deliver() if b"/my-data/" in one.raw]
    opened = await app.http.post(f"/my-data/{mail.token('my-data')}", allow_redirects=False)
    cookie = {"Cookie": f"my-data={SimpleCookie(opened.headers['Set-Cookie'])['my-data'].value}"}
    own = await (await app.http.get("/my-data", headers=cookie)).text()
    found = re.search(r'name="csrf" value="([^"]+)"', own)
    assert found is not None

    texts = [
        await (
            await app.http.post(
                "/my-data/export", data={"csrf": found[1], "format": form}, headers=cookie
            )
        ).text()
        for form in ("json", "html")
    ]

    assert all(WHY in text for text in texts)
    assert '"operator": "privacy-1"' in texts[0]


async def test_under_a_hold_an_erasure_waits_and_restricts(app: App) -> None:
    await app.subscribe()
    sitting, subject = await sit(app), await app.subject() or ""
    until = app.parts.clock.wall() + timedelta(days=30)
    await Holds(Erasing(app.parts)).place(subject, "file 17", until, Actor.OPERATOR)
    facts = {"subject": subject, "why": WHY, "act": "erase"}

    first = await sitting.post("/dpo/act", **facts)
    second = await sitting.post("/dpo/act", **facts, channel="phone", sure="yes")

    assert "A hold stands until" in await first.text()
    assert "A hold stands: the person is restricted now" in await second.text()
    assert await app.permission() == "restricted"
