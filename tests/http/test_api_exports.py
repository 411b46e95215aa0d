"""The log taken out by HTTP: who may, what they get, and that the log tells of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from audit.export.disclosed import Showing
from audit.kinds import Kind
from gateway.callers.api_keys import Scope
from gateway.flows.proving import exports
from gateway.flows.rights import address_mails
from tests.support import bundles
from tests.support.apps import ADA, App
from tests.support.calls import GRACE

PATH = "/v1/audit/export"
WHY = "says that she never asked, case 17"


async def get(app: App, key: dict[str, str], query: str = "", method: str = "GET") -> Any:
    async with app.http.request(method, PATH + query, headers=key) as answer:
        return answer.status, answer.content_type, await answer.read()


async def post(app: App, key: dict[str, str], body: Any, why: str | None = WHY) -> Any:
    headers = key | ({} if why is None else {"Access-Reason": why})
    async with app.http.post(PATH, json=body, headers=headers) as answer:
        return answer.status, answer.content_type, await answer.read()


async def told(app: App, kind: Kind) -> list[dict[str, str]]:
    await app.tick()
    async with app.parts.data.read() as connection:
        found = await app.parts.log.events(connection, kind=kind)
    return [dict(one.entry.refs) for one in found]


async def test_the_log_is_taken_out_without_personal_data_and_that_is_told(app: App) -> None:
    await app.subscribe()
    await app.tick()
    key = await app.key(Scope.AUDIT_READ)

    status, kind, raw = await get(app, key, "?case=2026-17")
    looked = await get(app, key, method="HEAD")
    lines = await get(app, key, "?format=jsonl")
    sound, said = bundles.check_here(raw, app.parts.publisher.vkey)

    assert (status, kind) == (200, "application/zip")
    assert sound, said
    files = bundles.files_of(raw)
    assert list(files)[:2] == ["README.txt", "verify_audit.py"]
    assert ADA.encode() not in b"".join(files.values())
    assert (looked[0], looked[2]) == (200, b"")
    assert (lines[0], lines[1]) == (200, "application/jsonl")
    assert json.loads(lines[2].splitlines()[0])["format"] == "consentgw/audit/jsonl/v1"
    taken = await told(app, Kind.AUDIT_EXPORTED)
    assert [one["format"] for one in taken] == ["bundle", "jsonl"], "a look at the headers is none"
    assert taken[0]["case"] == "2026-17"
    assert all(one["api_key"].startswith("key_") for one in taken)


async def test_a_persons_facts_need_a_reason_and_the_scope_and_stand_in_their_trail(
    app: App,
) -> None:
    await app.subscribe()
    await app.subscribe(GRACE)
    await app.tick()
    key, body = await app.key(Scope.SUBJECTS_READ), {"email": ADA}

    without = await post(app, key, body, why=None)
    outside = await post(app, await app.key(Scope.AUDIT_READ), body)
    nobody = await post(app, key, {"email": "nobody@example.org"})
    foreign = await post(app, key, body | {"checkpoints": ["x\n1\n\n"]})
    status, kind, raw = await post(app, key, body)
    sound, said = bundles.check_here(raw, app.parts.publisher.vkey)

    assert (without[0], outside[0], nobody[0], foreign[0]) == (422, 403, 404, 422)
    assert (status, kind) == (200, "application/zip")
    assert sound, said
    facts = opened(raw)
    assert ADA.encode() in facts
    assert GRACE.encode() not in facts
    looks = await told(app, Kind.SUBJECT_ACCESSED)
    assert len(looks) == 2, "the one who was not there, and the one who was"
    assert WHY.encode() in opened((await post(app, key, body))[2])


def opened(raw: bytes) -> bytes:
    """All that a bundle discloses."""
    lines = bundles.files_of(raw)["openings.jsonl"].splitlines()
    return b"\n".join(base64.b64decode(json.loads(line).get("opened", "")) for line in lines)


@pytest.mark.parametrize(
    "query", ["?format=pdf", "?since=yesterday", "?format=jsonl&since=2026-11-20T09:00:00Z"]
)
async def test_what_is_no_export_is_refused_and_not_told(app: App, query: str) -> None:
    status, _, _ = await get(app, await app.key(Scope.AUDIT_READ), query)

    assert status == 422
    assert await told(app, Kind.AUDIT_EXPORTED) == []


async def test_what_somebody_else_may_have_said_in_their_name_is_withheld(app: App) -> None:
    """As in their dossier: a request that was contested stays closed, and the proof stands."""
    shown = exports._Shown(frozenset({"con_1"}))

    assert shown(Kind.CONSENT_REQUESTED, {"consent": "con_1"}) is Showing.WITHHELD
    assert shown(Kind.CONSENT_REQUESTED, {"consent": "con_2"}) is Showing.OPENED
    asking = {"message": "msg_1", "purpose": address_mails.ASKING}
    assert shown(Kind.PERMIT_BATCH, asking) is Showing.LEFT_OUT
    assert shown(Kind.DELIVERY_BATCH, {"message": "msg_1"}) is Showing.LEFT_OUT
