"""The log by HTTP, and proofs of its events, checked by code that shares nothing with ours."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any

import aiohttp
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.callers.api_keys import Scope
from tests.support.apps import App
from tests.support.calls import call

NOBODY = "evt_" + "0" * 26


async def ask(app: App, event: str, key: dict[str, str]) -> tuple[aiohttp.ClientResponse, Any]:
    async with app.http.get(f"/v1/audit/events/{event}/proof", headers=key) as answer:
        return answer, await answer.json(content_type=None)


async def checkpoint(app: App, key: dict[str, str]) -> str:
    async with app.http.get("/v1/audit/checkpoint", headers=key) as note:
        assert (note.status, note.content_type) == (200, "text/plain")
        assert note.headers["Cache-Control"] == "no-store"
        return await note.text()


async def events(app: App, key: dict[str, str]) -> list[dict[str, Any]]:
    async with app.http.get("/v1/audit/events?limit=1000", headers=key) as answer:
        found: list[dict[str, Any]] = (await answer.json())["events"]
        return found


def signed_root(note: str, vkey: str) -> tuple[int, bytes]:
    """Size and root out of a C2SP checkpoint; raises `InvalidSignature`."""
    name, key_id, public = vkey.split("+", 2)
    text, _, signatures = note.partition("\n\n")
    (raw,) = [line.split(" ")[2] for line in signatures.splitlines() if f" {name} " in line]
    signature = base64.b64decode(raw)
    assert signature[:4].hex() == key_id
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public)[1:])
    key.verify(signature[4:], f"{text}\n".encode())
    origin, size, root = text.split("\n")
    assert origin == name
    return int(size), base64.b64decode(root)


def is_included(proof: dict[str, Any], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2, step by step."""
    if proof["index"] >= proof["size"]:
        return False
    fn, sn = proof["index"], proof["size"] - 1
    r = sha256(b"\x00" + proof["entry"].encode()).digest()
    for p in map(base64.b64decode, proof["path"]):
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = sha256(b"\x01" + p + r).digest()
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha256(b"\x01" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


async def test_every_event_is_proved_in_the_tree_that_the_checkpoint_signs(app: App) -> None:
    key = await app.key(Scope.AUDIT_READ)
    await app.subscribe()
    await app.tick()
    listed = await events(app, key)
    newest = await checkpoint(app, key)

    for event in listed:
        answer, proof = await ask(app, event["event_id"], key)

        assert answer.status == 200
        size, root = signed_root(proof["checkpoint"], app.parts.publisher.vkey)
        assert proof["checkpoint"] == newest
        assert proof["size"] == size == listed[-1]["index"] + 1
        assert (proof["event_id"], proof["index"]) == (event["event_id"], event["index"])
        assert json.loads(proof["entry"])["k"] == event["kind"]
        assert is_included(proof, root)
    assert len(listed) > 4


async def test_an_altered_proof_proves_nothing(app: App) -> None:
    key = await app.key(Scope.AUDIT_READ)
    await app.subscribe()
    await app.tick()
    event = (await events(app, key))[2]
    _, proof = await ask(app, event["event_id"], key)
    _, root = signed_root(proof["checkpoint"], app.parts.publisher.vkey)

    altered = (
        {"entry": proof["entry"].replace('"v":1', '"v":2')},
        {"index": proof["index"] + 1},
        {"path": proof["path"][::-1]},
        {"path": proof["path"][:-1]},
    )
    assert is_included(proof, root)
    assert [change for change in altered if is_included(proof | change, root)] == []
    forged = proof["checkpoint"].replace(f"\n{proof['size']}\n", f"\n{proof['size'] + 1}\n", 1)
    with pytest.raises(InvalidSignature):
        signed_root(forged, app.parts.publisher.vkey)


async def test_an_event_that_no_checkpoint_covers_yet_says_so(app: App) -> None:
    key = await app.key(Scope.AUDIT_READ)
    await app.subscribe()
    parts = app.parts
    async with parts.data.begin() as connection:
        await parts.log.sequence(connection)
    event = (await events(app, key))[-1]["event_id"]

    early, problem = await ask(app, event, key)
    await app.tick()
    late, _ = await ask(app, event, key)

    assert (early.status, problem["type"]) == (409, "/problems/not-published")
    assert early.headers["Retry-After"] == "1"
    assert late.status == 200


@pytest.mark.parametrize(
    "name",
    [
        NOBODY,
        NOBODY[:-1],
        NOBODY + "0",
        NOBODY[:-1] + "1",
        NOBODY.upper(),
        "evt_" + "w" * 26,
        "msg_" + "0" * 26,
        "0",
        "evt_%00",
    ],
    ids=["unknown", "short", "long", "stray bits", "upper case", "no digit", "kind", "0", "NUL"],
)
async def test_a_name_of_no_event_is_not_found(app: App, name: str) -> None:
    key = await app.key(Scope.AUDIT_READ)

    answer, problem = await ask(app, name, key)

    assert (answer.status, problem["type"]) == (404, "/problems/not-found")


async def test_one_event_has_one_spelling(app: App) -> None:
    key = await app.key(Scope.AUDIT_READ)
    await app.tick()
    event: str = (await events(app, key))[0]["event_id"]
    digits = "0123456789abcdefghijklmnopqrstuv"
    other = event[:-1] + digits[digits.index(event[-1]) + 1]

    assert (await ask(app, event, key))[0].status == 200
    assert (await ask(app, other, key))[0].status == 404


async def test_a_proof_needs_its_scope(embedded: App) -> None:
    others = await embedded.key(*(one for one in Scope if one is not Scope.AUDIT_READ))

    nobody, _ = await ask(embedded, NOBODY, {})
    answer, problem = await ask(embedded, NOBODY, others)

    assert nobody.status == 401
    assert (answer.status, problem["scope"]) == (403, "audit:read")


async def pages(app: App, key: dict[str, str], query: str) -> list[dict[str, Any]]:
    """The whole list, page by page."""
    found, after = [], ""
    while True:
        _, page = await call(app, key, "GET", f"/v1/audit/events?{query}{after}")
        found += page["events"]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


async def test_the_log_is_listed_in_pages_without_its_covers(app: App) -> None:
    key = await app.key(Scope.AUDIT_READ)
    await app.subscribe()
    await app.tick()

    listed = await events(app, key)
    covers = await pages(app, key, "limit=500&kind=log.cover")

    assert await pages(app, key, "limit=2") == listed
    assert "log.cover" not in [one["kind"] for one in listed]
    every = sorted(one["index"] for one in [*listed, *covers])
    assert every == list(range(len(every))), "together they are the log"
    origin, size = (await checkpoint(app, key)).splitlines()[:2]
    assert (origin, size) == ("test.example/audit/gateway", str(len(every)))
    confirmed = await pages(app, key, "kind=consent.confirmed")
    assert [one["kind"] for one in confirmed] == ["consent.confirmed"]


async def test_strangers_are_shown_the_checkpoint_of_the_day_and_auditors_the_newest(
    app: App,
) -> None:
    key, other = await app.key(Scope.AUDIT_READ), await app.key(Scope.MESSAGES_SEND)
    at_first = await checkpoint(app, {})
    await app.subscribe()
    await app.tick()

    newest = await checkpoint(app, key)

    assert await checkpoint(app, {}) == at_first
    assert await checkpoint(app, other) == at_first, "its key says nothing of the log"
    for note in (at_first, newest):
        signed_root(note, app.parts.publisher.vkey)
    assert int(newest.splitlines()[1]) > int(at_first.splitlines()[1])
    wrong = {"Authorization": "Bearer cgw_of_nobody"}
    async with app.http.get("/v1/audit/checkpoint", headers=wrong) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("kind=consent.nothing", "/kind"),
        ("kind=x", "/kind"),
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("after=-1", "/after"),
        ("after=99999999999999999999", "/after"),
        ("since=yesterday", "/since"),
        ("page=2", "/page"),
    ],
)
async def test_a_wrong_question_to_the_log_is_named(app: App, query: str, pointer: str) -> None:
    key = await app.key(Scope.AUDIT_READ)

    status, problem = await call(app, key, "GET", f"/v1/audit/events?{query}")

    assert (status, [one["pointer"] for one in problem["errors"]]) == (422, [pointer])
