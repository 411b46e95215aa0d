"""Rights requests from being asked to being decided: by HTTP, past an erasure, out of the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import delete, select, update

from consent import rights_requests
from consent.tables import rights_request
from gateway.callers.api_keys import Scope
from gateway.flows.proving.verify import verify
from gateway.flows.rights import reminders
from gateway.process import counting
from gateway.watch import overview, rights
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call
from tests.support.databases import Databases
from tests.support.stores import dump, rows

DAY = timedelta(days=1)
PATH = "/v1/rights-requests"
WHY = {"reason": "Ada Lovelace moved to Köln."}
BERLIN = """
[rights]
country = "DE"
subdivision = "BE"
time_zone = "Europe/Berlin"
"""


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, more=BERLIN) as opened:
        await opened.subscribe()
        yield opened


async def asked(app: App, kind: str = "access", **more: Any) -> str:
    """Pass a request on; its id."""
    body = {"email": ADA, "kind": kind, "channel": "letter", **more}
    status, said = await call(app, await app.key(), "POST", PATH, body)
    assert status == 201, said
    return str(said["request_id"])


async def decide(app: App, request: str, step: str) -> tuple[int, Any]:
    return await call(app, await app.key(), "POST", f"{PATH}/{request}/{step}", WHY)


async def shown(app: App, request: str, **headers: str) -> dict[str, Any]:
    status, body = await call(app, await app.key(), "GET", f"{PATH}/{request}", **headers)
    assert status == 200
    return dict(body)


async def said(app: App) -> list[str]:
    """What a verification says."""
    await app.tick()
    found = await verify(app.parts)
    return [*map(str, found.report.findings), *found.rows]


async def kinds(app: App) -> list[str]:
    """The events of rights requests, and looks, in their order."""
    await app.tick()
    _, body = await call(app, await app.key(), "GET", "/v1/audit/events?limit=1000")
    named = [event["kind"] for event in body["events"]]
    return [one for one in named if one.startswith("rights.") or one == "subject.accessed"]


async def test_a_request_is_written_down_with_its_date_extended_and_answered(app: App) -> None:
    subject, key = await app.subject(), await app.key(Scope.SUBJECTS_MANAGE, Scope.SUBJECTS_READ)
    body = {"email": ADA, "kind": "access", "received_at": "2026-11-25T09:00:00+01:00"}
    app.step(5 * DAY)

    status, recorded = await call(app, key, "POST", PATH, body)

    # Christmas, Boxing Day and a Sunday; then to the end of the day in Berlin.
    assert (status, recorded["due_at"]) == (201, "2026-12-28T22:59:59Z")
    ahead = body | {"received_at": "2036-01-01T00:00:00Z"}
    assert (await call(app, key, "POST", PATH, ahead))[1]["due_at"] == recorded["due_at"]
    request = recorded["request_id"]
    open_one = await shown(app, request)
    assert (open_one["subject_id"], open_one["state"], open_one["channel"]) == (
        subject,
        "open",
        "api",
    )
    status, extended = await decide(app, request, "extend")
    assert (status, extended["state"]) == (200, "extended")
    assert extended["due_at"] == "2027-02-25T22:59:59Z"
    assert (await decide(app, request, "extend"))[1]["type"] == "/problems/request-decided"
    status, answered = await decide(app, request, "answer")
    assert (status, answered["state"], answered["reason"]) == (200, "answered", None)
    assert (await decide(app, request, "refuse"))[0] == 409
    told = ["rights.requested", "rights.requested", "rights.extended", "rights.answered"]
    assert await kinds(app) == told
    assert await said(app) == []


async def test_the_reason_is_sealed_and_whoever_opens_it_says_why_and_is_seen(app: App) -> None:
    request = await asked(app)
    await decide(app, request, "refuse")
    kept = await dump(app.parts.data, ["rights_request"])
    assert b"Lovelace" not in kept["rights_request"][0]["reason"]

    assert (await shown(app, request))["reason"] is None
    assert "subject.accessed" not in await kinds(app)
    assert (await shown(app, request, Access_Reason="case 7"))["reason"] == WHY["reason"]

    assert (await kinds(app))[-1] == "subject.accessed"
    key = await app.key()
    for wrong in (" ", "x" * 201, "a\tb"):
        status, _ = await call(app, key, "GET", f"{PATH}/{request}", Access_Reason=wrong)
        assert status == 422
    assert await said(app) == []


async def test_they_are_listed_page_by_page_to_who_may_read_alone(app: App) -> None:
    first, second, third = [await asked(app, kind) for kind in ("access", "objection", "erasure")]
    await decide(app, second, "answer")
    reader = await app.key(Scope.SUBJECTS_READ)

    _, page = await call(app, reader, "GET", f"{PATH}?limit=2")
    _, rest = await call(app, reader, "GET", f"{PATH}?limit=2&after={page['next']}")
    _, waiting = await call(app, reader, "GET", f"{PATH}?state=open")

    listed = [one["request_id"] for one in [*page["requests"], *rest["requests"]]]
    assert (sorted(listed), rest["next"]) == (sorted([first, second, third]), None)
    assert {one["request_id"] for one in waiting["requests"]} == {first, third}
    assert (await call(app, reader, "POST", PATH, {"email": ADA, "kind": "access"}))[0] == 403
    bound = await app.key(Scope.SUBJECTS_READ, purposes=["newsletter"])
    for path in (PATH, f"{PATH}/{first}"):
        assert (await call(app, bound, "GET", path))[0] == 403
    key = await app.key()
    for unknown in ({"email": "bob@example.org"}, {"subject_id": "sub_nobody"}):
        assert (await call(app, key, "POST", PATH, {**unknown, "kind": "access"}))[0] == 404
    assert (await call(app, key, "POST", PATH, {"email": ADA, "kind": "all"}))[0] == 422
    nobodys = f"{PATH}/req_{'0' * 26}"
    assert (await call(app, key, "GET", nobodys))[0] == 404
    assert (await call(app, key, "POST", f"{nobodys}/refuse", WHY))[0] == 404


async def test_an_erasure_answers_that_it_was_asked_for_and_ends_what_else_waits(app: App) -> None:
    refused, access = await asked(app), await asked(app)
    await decide(app, refused, "refuse")
    first = await asked(app, "erasure", received_at="2026-11-10T09:00:00Z")
    problem = (await decide(app, first, "answer"))[1]
    assert problem["type"] == "/problems/answered-by-erasure"
    assert await app.permission() == "granted"

    status, erasure = await call(app, await app.key(), "POST", "/v1/erasures", {"email": ADA})

    assert status == 202
    assert erasure["received_at"] == "2026-11-10T09:00:00Z"
    assert erasure["due_at"] == "2026-12-10T22:59:59Z"
    assert (await shown(app, first))["state"] == "answered"
    assert (await shown(app, access))["state"] == "ended"
    assert (await shown(app, refused, Access_Reason="case 7"))["reason"] is None
    assert (await decide(app, access, "answer"))[0] == 409
    subject = (await shown(app, access))["subject_id"]
    again = {"subject_id": subject, "kind": "access"}
    assert (await call(app, await app.key(), "POST", PATH, again))[0] == 404
    assert await said(app) == []


async def test_what_is_due_is_counted_and_named_once_a_day(app: App) -> None:
    soon = await asked(app, received_at="2026-10-27T09:00:00Z")
    late = await asked(app, received_at="2026-10-20T09:00:00Z")
    await asked(app)
    await decide(app, await asked(app, received_at="2026-10-01T09:00:00Z"), "answer")
    parts = app.parts

    async def named() -> set[str]:
        with structlog.testing.capture_logs() as lines:
            await reminders.remind(parts.data, parts.clock, parts.rows)
        return {str(line["request"]) for line in lines if line["event"] == "rights.due"}

    status, problem = await decide(app, late, "extend")
    assert (status, problem["type"]) == (409, "/problems/too-late-to-extend")
    assert await named() == {soon, late}
    assert await named() == set()
    async with parts.data.begin() as connection:
        ahead = parts.clock.wall() + 1000 * DAY
        await connection.execute(update(rights_request).values(reminded_at=ahead))
    assert await named() == {soon, late}
    app.step(DAY)
    assert await named() == {soon, late}
    verifier = parts.publisher.verifier
    await counting.measure(parts.data, parts.clock, verifier, parts.lookup, app.counted)
    for when, number in (("soon", 1), ("overdue", 1), ("later", 1)):
        assert f'gateway_rights_requests{{due="{when}"}} {number}.0' in app.metrics()
    due = (await overview.look(parts)).rights_requests
    assert due == rights_requests.Due(waiting=3, soon=1, overdue=1)
    assert [str(one.level) for one in rights.told(due)] == ["warn", "warn"]
    assert [str(one.level) for one in await rights.about(parts.data)] != []


async def test_what_was_done_to_a_row_by_sql_is_named_and_nothing_is_decided_by_it(
    app: App,
) -> None:
    altered, gone, back = [await asked(app) for _ in range(3)]
    async with app.parts.data.read() as connection:
        old = {row["id"]: row for row in await rows(connection, rights_request)}
    await decide(app, back, "refuse")
    this = rights_request.c.id
    async with app.parts.data.begin() as connection:
        later = old[altered]["due_at"] + 300 * DAY
        await connection.execute(update(rights_request).where(this == altered).values(due_at=later))
        await connection.execute(delete(rights_request).where(this == gone))
        await connection.execute(update(rights_request).where(this == back).values(**old[back]))

    found = await said(app)

    assert len(found) == 3
    for request, words in (
        (altered, "was changed"),
        (gone, "its row is gone"),
        (back, "an old row was put back"),
    ):
        assert any(request in line and words in line for line in found), words
    assert (await decide(app, altered, "answer"))[0] == 404
    assert (await decide(app, back, "answer"))[0] == 409
    async with app.parts.data.read() as connection:
        states = (await connection.execute(select(rights_request.c.state))).scalars()
        assert set(states) == {"open"}
