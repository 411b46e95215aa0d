"""What stays of who was erased: opened under a case by who answers for the data, else never."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from audit import entry
from audit.tables import audit_entry
from consent.keys.vault import Vault
from gateway.api import cases
from gateway.callers.api_keys import Scope
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.rights import overview
from tests.promises.test_erased_is_erased import BOB, YEAR, erase, rows_naming, run_rules, sound
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call, queue
from tests.support.clock import SteppedClock
from tests.support.databases import Databases

PATH = "/v1/evidence/search"
WHY = "letter of a lawyer"
CASE = "2026-17"


async def opened(
    app: App, key: dict[str, str] | None = None, email: str = ADA, **more: Any
) -> tuple[int, dict[str, Any]]:
    key = key or await app.key(Scope.EVIDENCE_OPEN)
    body = {"email": email, "case": CASE} | more
    return await call(app, key, "POST", PATH, body, access_reason=WHY)


async def told(app: App) -> list[entry.Entry]:
    """The events of searches and what they opened, in order."""
    await app.tick()
    row = audit_entry.c
    query = select(row.entry).where(row.kind.like("evidence.%ed")).order_by(row.leaf_index)
    async with app.parts.data.read() as connection:
        found = [entry.parse(one) for one in (await connection.execute(query)).scalars()]
    return [one for one in found if one.kind in ("evidence.searched", "evidence.opened")]


async def test_the_whole_proof_is_opened_under_a_case_and_goes_on_its_date(app: App) -> None:
    posted = await app.posted(ADA, page_url="https://www.acme.example/landing")
    await app.http.post("/forms/signup", json=posted)
    (mail,) = await app.deliver()
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    subject = await app.subject()
    await app.subscribe(BOB)
    assert (await erase(app))[0] == 202
    assert (await erase(app, email=BOB))[0] == 202

    status, said = await opened(app)

    assert status == 200
    (person,) = said["found"]
    assert (person["subject_id"], person["whole"]) == (subject, True)
    (proof,) = person["consents"]
    assert (proof["state"], proof["fits"], proof["contested"]) == ("withdrawn", True, False)
    assert proof["text"]["bundle"]["text"] == "Yes, send me the newsletter."
    assert proof["text"]["bundle"]["notice"] in {one["hash"] for one in said["notices"]}
    steps = {one["kind"]: one["facts"] for one in proof["steps"]}
    assert steps["consent.requested"]["address"] == ADA
    assert steps["consent.requested"]["page_url"] == "https://www.acme.example/landing"
    assert steps["consent.mail_sent"]["reply"]["code"] == 250
    assert steps["consent.confirmed"]["confirmed_at"]
    assert steps["consent.withdrawn"]["channel"] == "erasure"
    assert (said["people"], said["total"], said["next"]) == (2, 2, None)
    searched, shown = await told(app)
    assert searched.refs == shown.refs
    assert (searched.refs["case"], searched.refs["api_key"][:4]) == (CASE, "key_")
    assert not searched.commitments
    assert shown.commitments
    assert await sound(app) == []
    app.step(3 * YEAR)
    assert (await opened(app))[1]["found"] == [], "its date has come, whether or not the duty has"
    await run_rules(app)
    assert await rows_naming(app, str(subject)) == {"erasure", "erasure_ledger"}
    assert await sound(app) == []


async def test_whoever_has_no_evidence_is_searched_for_in_the_log_all_the_same(app: App) -> None:
    await app.subscribe()

    status, said = await opened(app)

    assert (status, said["found"], said["total"]) == (200, [], 0)
    (searched,) = await told(app)
    assert (searched.kind, searched.refs["case"]) == ("evidence.searched", CASE)
    assert await sound(app) == []


async def test_nobody_opens_it_without_scope_case_and_reason(limited: App) -> None:
    app = limited
    others = [one for one in Scope if one is not Scope.EVIDENCE_OPEN]
    bound = await app.key(Scope.EVIDENCE_OPEN, purposes=["newsletter"])
    key = await app.key(Scope.EVIDENCE_OPEN)
    body = {"email": ADA, "case": CASE}

    refused = await opened(app, await app.key(*others))
    assert (refused[0], refused[1]["scope"]) == (403, "evidence:open")
    assert (await opened(app, bound))[0] == 403
    assert (await call(app, key, "POST", PATH, body))[0] == 422
    for case in ("", "Lovelace", "ada@example.org", "17 ", "1" * 65, "a 1"):
        expected = 200 if case == "17 " else 422  # edges are cut off
        assert (await opened(app, key, case=case))[0] == expected, case
    assert len(await told(app)) == 1

    statuses = [(await opened(app, key))[0] for _ in range(121)]

    assert statuses[-1] == 429


async def test_a_search_goes_on_where_the_last_call_ended(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "_MOST", 1)
    for one in (ADA, BOB):
        await app.subscribe(one)
        await erase(app, email=one)

    found, after = [], None
    for _ in range(3):
        _, said = await opened(app, **({} if after is None else {"after": after}))
        found += said["found"]
        after = said["next"]
        assert said["people"] <= 1
        assert "sub_" not in (after or "")
        if after is None:
            break

    assert len(found) == 1
    assert after is None


async def test_nobody_begins_a_search_at_a_person_of_their_choice(app: App) -> None:
    """How many come behind an id would tell whether that person was erased and is locked."""
    for after in ("sub_00000000000000000000000000", "\0", "1_AAAA", "9_AAAA"):
        status, said = await opened(app, after=after)
        assert (status, said["errors"][0]["pointer"]) == (422, "/after"), after
    assert await told(app) == []


async def test_nothing_else_reads_what_is_locked(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overview, look-ups, permissions, claims, intake, and every duty before its date."""
    await app.subscribe()
    await queue(app, text="Hello.")
    (mail,) = await app.deliver()
    subject = await app.subject()
    assert subject is not None
    await erase(app)
    app.step(timedelta(minutes=1))
    whose: list[str] = []
    real = Vault.open

    def noting(self: Vault, of: str, *place: Any) -> bytes | None:
        whose.append(of)
        return real(self, of, *place)

    monkeypatch.setattr(Vault, "open", noting)
    key = await app.key()

    assert await overview.look(app.parts, subject) is None
    lookup = await call(
        app, key, "POST", "/v1/subjects/lookup", {"email": ADA}, access_reason="why"
    )
    assert lookup[0] == 404
    for to in ({"email": ADA}, {"subject_id": subject}):
        await call(app, key, "POST", "/v1/permissions", {"to": to, "purpose": "newsletter"})
        left = {"to": to, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
        await call(app, key, "POST", "/v1/withdrawals", left)
        await call(app, key, "POST", "/v1/erasures", {**to, "channel": "letter"})
        await call(app, key, "POST", "/v1/rights-requests", {**to, "kind": "access"})
    await app.http.get(f"/why/{mail.token('why')}")
    await app.http.post(f"/unsubscribe/{mail.token('unsubscribe')}")
    await app.http.post("/my-data", data={"email": ADA})
    app.step(timedelta(minutes=1))  # what came at the same moment as she left went with it
    await app.subscribe()
    await queue(app, text="Hello again.")
    await app.deliver()
    await run_rules(app)
    assert whose, "nothing was opened of the one who signed up again either"
    assert subject not in whose

    assert len((await opened(app))[1]["found"]) == 1

    assert subject in whose


async def test_what_is_locked_goes_on_its_date_however_short_it_is_kept_that_somebody_asked(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    """The row that says until when goes behind it: without it nothing that is locked would go."""
    more = '[retention]\nrights_requests = "0d"\n'
    clock = SteppedClock()
    async with open_app(tmp_path, new_database_url, dialect, clock=clock, more=more) as app:
        await app.subscribe()
        subject = await app.subject()
        assert subject is not None
        assert (await erase(app))[0] == 202
        app.step(timedelta(days=3 * 365, seconds=1))
        rules = RetentionRules(app.parts)

        assert await rules.requests() == 0
        assert await app.parts.keystore.held([subject])
        assert await rules.locked_evidence() == 1
        assert not await app.parts.keystore.held([subject])
        assert await rules.requests() == 1
        assert await sound(app) == []
