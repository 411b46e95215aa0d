"""What proves one consent: gathered, told in the log first, and shown only where it fits."""

from __future__ import annotations

import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from audit import trail
from audit.kinds import Actor, Kind
from consent.keys.vault import Vault
from consent.shown_tables import specimen
from consent.tables import consent as consent_table
from consent.tables import consent_text, privacy_notice
from gateway.callers.api_keys import Scope
from gateway.flows.proving import verify
from gateway.flows.proving.consent_evidence import Evidences, Opening
from gateway.flows.proving.consent_proof import Unknown
from gateway.flows.proving.exports import at_once
from gateway.http import evidences
from tests.promises.test_erased_is_erased import YEAR, erase, rows_naming, run_rules, sound
from tests.support.apps import ADA, App
from tests.support.calls import queue
from tests.support.hostile import by_sql
from tests.support.proofs import WHY, consent_of, evidence, hand_over, proven

CASE = "2026-17"


def of(app: App) -> Evidences:
    parts = app.parts
    return Evidences(parts.data, parts.keystore, parts.consents, parts.log, parts.clock, at_once)


async def document(app: App, name: str, query: str = "") -> dict[str, Any]:
    key = await app.key(Scope.SUBJECTS_READ, Scope.EVIDENCE_OPEN)
    status, _, raw = await evidence(app, name, query, key)
    assert status == 200, raw
    said: dict[str, Any] = json.loads(raw)
    return said


async def told(app: App, kind: Kind) -> list[dict[str, Any]]:
    await app.tick()
    async with app.parts.data.read() as connection:
        found = await app.parts.log.events(connection, kind=kind)
    return [dict(one.entry.refs) for one in found]


async def test_the_mail_comes_back_to_the_byte_and_the_opening_is_told_first(app: App) -> None:
    name, mail = await proven(app, profile={"first_name": "Ada"})

    found = await of(app).of(name, Opening(Actor.API, WHY, "key_1"))

    assert found is not None
    (sent,) = found.mails
    assert sent.raw == mail.raw
    assert (sent.has_link, sent.was_pressed, sent.withheld) == (True, True, False)
    assert found.faults == []
    assert {one.what for one in found.specimens.values()} == {"mail", "page", "definition"}
    assert set(found.unknown) == {
        Unknown.WHO_ASKED,
        Unknown.NETWORK_ASKED,
        Unknown.WORDING_SHOWN,
        Unknown.WHO_PRESSED,
        Unknown.NETWORK_PRESSED,
        Unknown.MAILBOX,
    }
    subject = await app.subject()
    assert subject is not None
    vault = await app.parts.keystore.vault([subject])
    async with app.parts.data.snapshot() as connection:
        looks = await trail.told(connection, [subject], [Kind.SUBJECT_ACCESSED], vault)
    assert [(one.facts["why"], one.facts["caller"]) for one in looks] == [(WHY, "key_1")]
    said = evidences.document(found, app.parts.config)
    assert said["mails"][0]["reply"]["queue_id"] == "4bXk2d0Qz3z9vNs"
    assert said["mails"][0]["session"]["tls"]["version"] == "TLSv1.3"
    assert "values" not in json.dumps(said["steps"]), "links in it open or end something"
    assert await sound(app) == []


async def test_every_mail_that_it_allowed_is_named_and_no_other(app: App) -> None:
    name, _ = await proven(app)
    other, _ = await proven(app, "eve@example.org")
    before = await document(app, name)
    for subject in ("May", "June"):
        await queue(app, subject=subject, text="Hello.")
    await queue(app, "eve@example.org", text="Hello.")
    mails = await hand_over(app)

    said = await document(app, name)

    assert (before["uses"], said["uses_left_out"]) == ([], False)
    assert [one["outcome"] for one in said["uses"]] == ["sent", "sent"]
    hashes = {f"sha256:{sha256(one.raw).hexdigest()}" for one in mails if one.to == ADA}
    assert {one["hash"] for one in said["uses"]} == hashes
    assert len((await document(app, other))["uses"]) == 1


async def test_a_consent_that_ended_is_proven_like_one_that_stands_until_its_term_is_over(
    app: App,
) -> None:
    name, _ = await proven(app)
    key = await app.key()
    left = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    await app.http.post("/v1/withdrawals", json=left, headers=key)

    said = await document(app, name)

    assert said["consent"]["state"] == "withdrawn"
    kinds = [one["kind"].removeprefix("consent.") for one in said["steps"]]
    assert kinds == ["requested", "mail_sent", "confirmed", "withdrawn"]
    assert said["mails"][0]["remade"]
    app.step(timedelta(days=40))  # what other mails said is gone by then
    await run_rules(app)
    assert (await document(app, name))["mails"][0]["remade"]
    assert await sound(app) == []
    app.step(3 * YEAR)
    await run_rules(app)
    assert (await evidence(app, name))[0] == 404
    assert await sound(app) == []


async def test_who_passed_it_on_is_named_by_their_key(app: App) -> None:
    body = {"form": "signup", **await app.posted()}
    key = await app.key(Scope.SIGNUPS_CREATE)
    async with app.http.post("/v1/signups", json=body, headers=key) as answer:
        assert answer.status == 202
    await app.tick()

    said = await document(app, await consent_of(app))

    (asked,) = [one for one in said["steps"] if one["kind"] == "consent.requested"]
    assert asked["facts"]["caller"]["name"] == "test"
    assert asked["facts"]["caller"]["id"].startswith("key_")


async def test_while_its_link_can_confirm_nobody_sees_what_the_mail_says(app: App) -> None:
    """Else whoever looks could confirm in their name."""
    await app.http.post("/forms/signup", json=await app.posted())
    (mail,) = await hand_over(app)
    token, name = mail.token("confirm"), await consent_of(app)

    waiting = await document(app, name)

    assert (waiting["mails"][0]["withheld"], waiting["mails"][0]["raw"]) == (True, None)
    assert token not in json.dumps(waiting)
    key = await app.key()
    for path in (f"/v1/subjects/{await app.subject()}/dossier",):
        headers = key | {"Access-Reason": WHY}
        async with app.http.get(path, headers=headers) as answer:
            assert token not in await answer.text()
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    assert (await document(app, name))["mails"][0]["remade"]


# What somebody who writes the database does, and what is named by it.
ALTERED = {
    "the wording": (
        lambda: update(consent_text).values(bundle=b"{}"),
        "consent_text",
        "wording",
    ),
    "the notice": (
        lambda: update(privacy_notice).values(body=b"# We sell it"),
        "privacy_notice",
        "notice",
    ),
    "what was sent": (
        lambda: update(specimen).where(specimen.c.what == "mail").values(body=b"{}"),
        "specimen",
        None,
    ),
    "the page, gone": (
        lambda: delete(specimen).where(specimen.c.what == "page"),
        "specimen",
        None,
    ),
    "the consent": (
        lambda: update(consent_table).values(locale="de"),
        "consent",
        None,
    ),
}


@pytest.mark.parametrize("how", ALTERED.values(), ids=ALTERED.keys())
async def test_what_was_altered_is_named_and_not_shown(app: App, how: Any) -> None:
    statement, what, gone = how
    name, _ = await proven(app)
    async with app.parts.data.begin() as connection:
        await connection.execute(statement())

    said = await document(app, name)

    assert what in {one["what"] for one in said["faults"]}
    assert gone is None or said[gone] is None
    if what == "specimen":
        named = {one["name"] for one in said["faults"]}
        assert named.isdisjoint(one["hash"] for one in said["specimens"])
    found = await verify.verify(app.parts)
    assert any(one.startswith(what) for one in found.rows), found.rows


async def test_an_event_that_is_missing_is_named(app: App) -> None:
    name, _ = await proven(app)
    await by_sql(
        app,
        "DELETE FROM audit_payload WHERE eid = (SELECT eid FROM audit_entry"
        " WHERE kind = 'consent.mail_sent')",
    )

    said = await document(app, name)

    assert "log" in {one["what"] for one in said["faults"]}


async def test_of_who_was_erased_it_is_opened_for_a_case_alone_and_until_its_date(
    app: App,
) -> None:
    name, mail = await proven(app, page_url="https://www.acme.example/landing")
    subject = await app.subject()
    assert (await erase(app))[0] == 202
    lesser = await app.key(Scope.SUBJECTS_READ)

    without = await evidence(app, name, key=await app.key())
    forbidden = await evidence(app, name, f"?case={CASE}", lesser)
    said = await document(app, name, f"?case={CASE}")

    assert (without[0], forbidden[0]) == (404, 403)
    assert b"evidence:open" in forbidden[2]
    assert said["consent"]["erased"]
    assert said["consent"]["state"] == "withdrawn"
    assert said["mails"][0]["remade"], "its evidence is still there"
    assert said["faults"] == []
    (opened,) = await told(app, Kind.EVIDENCE_OPENED)
    assert (opened["case"], opened["api_key"][:4]) == (CASE, "key_")
    paper = await evidence(app, name, f"?case={CASE}&format=pdf", await app.key())
    assert paper[0] == 200
    assert await sound(app) == []
    app.step(3 * YEAR)
    assert (await evidence(app, name, f"?case={CASE}", await app.key()))[0] == 404
    await run_rules(app)
    assert await rows_naming(app, str(subject)) == {"erasure", "erasure_ledger"}
    assert await sound(app) == []
    async with app.parts.data.read() as connection:
        bodies = (await connection.execute(select(specimen.c.body))).scalars().all()
    theirs = (ADA.encode(), mail.token("confirm").encode())
    assert not [one for one in bodies for word in theirs if word in one]


async def test_nobody_opens_it_without_scope_and_reason(app: App) -> None:
    name, _ = await proven(app)
    bound = await app.key(Scope.SUBJECTS_READ, purposes=["newsletter"])
    other = await app.key(Scope.AUDIT_READ)

    assert (await evidence(app, name, key=other))[0] == 403
    assert (await evidence(app, name, key=bound))[0] == 403
    assert (await evidence(app, name, why=None))[0] == 422
    assert (await evidence(app, name, "?format=docx"))[0] == 422
    assert await told(app, Kind.SUBJECT_ACCESSED) == []
    assert (await evidence(app, "con_" + "0" * 26))[0] == 404
    assert len(await told(app, Kind.SUBJECT_ACCESSED)) == 1, "who asked for one that is not here"
    app.step(timedelta(minutes=1))
    assert (await evidence(app, name))[0] == 200


async def test_a_consent_of_somebody_without_a_key_is_not_opened(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = await proven(app)
    monkeypatch.setattr(Vault, "has", lambda *_: False)

    assert await of(app).of(name, Opening(Actor.API, WHY)) is None
