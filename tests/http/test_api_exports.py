"""The log taken out by HTTP: who may, what they get, and that the log tells of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from audit.export.disclosed import Showing
from audit.kinds import Actor, Kind
from consent import moving
from gateway.callers.api_keys import Scope
from gateway.flows.proving import exports
from gateway.flows.proving.export_forms import Form
from tests.support import bundles
from tests.support.apps import ADA, App
from tests.support.audit import MOMENT
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


# What makes no sense, and what the answer says to do instead.
REFUSED = {
    "?format=docx": "bundle",
    "?since=yesterday": "RFC 3339",
    "?scope=person": "a person's is had by POST",
    "?scope=authority": "for which case",
    "?scope=authority&case=1&format=pdf": "take bundle, jsonl, csv or xlsx",
    "?format=bundle&zone=Europe/Berlin": "csv, xlsx and pdf",
    "?format=csv&zone=Atlantis/City": "such as Europe/Berlin",
    "?format=csv&zone=../../etc/passwd": "such as Europe/Berlin",
    "?format=csv&locale=de": "ask for format pdf",
    "?export=nothing": "as ETag had it",
    "?export=5-0123456789abcdef": "leave it out",
    "?export=999999-0123456789abcdef": "leave it out",
}


@pytest.mark.parametrize("query", REFUSED)
async def test_what_is_no_export_is_refused_and_not_told(app: App, query: str) -> None:
    status, _, raw = await get(app, await app.key(Scope.AUDIT_READ), query)

    assert status == 422
    assert REFUSED[query] in raw.decode()
    assert await told(app, Kind.AUDIT_EXPORTED) == []


FORMS = {
    "bundle": b"PK",
    "jsonl": b'{"format":"consentgw/audit/',
    "csv": b"PK",
    "xlsx": b"PK",
    "pdf": b"%PDF-",
}


async def test_who_may_have_what_in_which_form(app: App) -> None:
    """The table of scope, form and role: what is refused names why, before anything is told."""
    await app.subscribe()
    await app.tick()
    since = f"since={MOMENT.isoformat().replace('+00:00', 'Z')}"
    asked: dict[str, Any] = {
        "the log": lambda form, key: get(app, key, f"?format={form}"),
        "a period": lambda form, key: get(app, key, f"?format={form}&{since}"),
        "an authority": lambda form, key: get(app, key, f"?format={form}&scope=authority&case=1"),
        "a person": lambda form, key: post(app, key, {"email": ADA, "format": form}),
    }
    auditor, reader = await app.key(Scope.AUDIT_READ), await app.key(Scope.SUBJECTS_READ)
    bound = await app.key(Scope.AUDIT_READ, Scope.SUBJECTS_READ, senders=["acme"])
    found: dict[tuple[str, str], list[int]] = {}
    for what, ask in asked.items():
        for form, beginning in FORMS.items():
            for key in (auditor, reader, bound, {}):
                status, _, raw = await ask(form, key)
                found.setdefault((what, form), []).append(status)
                assert raw.startswith(beginning) or status != 200, (what, form)

    for (what, form), statuses in found.items():
        expected = {
            "the log": [200, 403, 403, 401],
            "a period": [200, 403, 403, 401],
            "an authority": [200, 403, 403, 401],
            "a person": [403, 200, 403, 401],
        }[what]
        if (what, form) == ("an authority", "pdf"):
            expected = [422, 403, 403, 401]
        assert statuses == expected, (what, form)


async def test_an_authority_gets_names_of_its_export_and_no_address(app: App) -> None:
    await app.subscribe()
    await app.subscribe(GRACE)
    await app.tick()
    key, subject = await app.key(Scope.AUDIT_READ), await app.subject()

    _, _, raw = await get(app, key, "?scope=authority&case=2026-17")
    await app.tick()  # the log has grown: another export
    _, _, other = await get(app, key, "?scope=authority&case=2026-17")
    taken = await told(app, Kind.AUDIT_EXPORTED)

    sound, said = bundles.check_here(raw, app.parts.publisher.vkey)
    assert sound, said
    names = [names_in(one) for one in (raw, other)]
    assert [len(one) for one in names] == [2, 2]
    assert not names[0] & names[1], "two authorities cannot put theirs together"
    everything = b"".join(bundles.files_of(raw).values())
    assert subject is not None
    assert not any(one.encode() in everything for one in (ADA, GRACE, subject))
    assert [(one["scope"], one["case"]) for one in taken] == [("authority", "2026-17")] * 2


def names_in(raw: bytes) -> set[str]:
    lines = bundles.files_of(raw)["people.jsonl"].splitlines()
    return {name for line in lines for name in json.loads(line)["people"]}


@pytest.mark.parametrize("form", ["bundle", "jsonl", "csv", "xlsx"])
async def test_who_was_cut_off_gets_the_rest_of_the_same_bytes(app: App, form: str) -> None:
    await app.subscribe()
    await app.tick()
    key, query = await app.key(Scope.AUDIT_READ), f"{PATH}?format={form}"
    async with app.http.get(query, headers=key) as begun:
        whole, name = await begun.read(), begun.headers["ETag"].strip('"')
    await app.tick()  # it grows by the event that tells of it
    middle = len(whole) // 2
    rest = {"Range": f"bytes={middle}-"}

    named = await ranged(app, f"{query}&export={name}", key | rest)
    unnamed = await ranged(app, query, key | rest)
    behind = await ranged(app, f"{query}&export={name}", key | {"Range": f"bytes={len(whole)}-"})
    stale = await ranged(app, query, key | rest | {"If-Range": f'"{name}"'})
    looked = await app.http.head(f"{query}&export={name}", headers=key)

    assert named[:2] == (206, f"bytes {middle}-{len(whole) - 1}/{len(whole)}")
    assert whole[:middle] + named[2] == whole
    assert unnamed[0] == stale[0] == 200, "of another one nothing is put behind it"
    assert behind[:2] == (416, f"bytes */{len(whole)}")
    assert looked.headers["ETag"] == f'"{name}"'
    taken = await told(app, Kind.AUDIT_EXPORTED)
    assert [one.get("from") for one in taken] == [None, str(middle), None, None]
    assert taken[0]["export"] == taken[1]["export"] == name


async def ranged(app: App, path: str, headers: dict[str, str]) -> tuple[int, str | None, bytes]:
    async with app.http.get(path, headers=headers) as answer:
        return answer.status, answer.headers.get("Content-Range"), await answer.read()


async def test_the_newest_is_gone_on_with_where_it_is_the_same(app: App) -> None:
    """`If-Range` says which one it was: nobody needs to name it in the address then."""
    await app.subscribe()
    await app.tick()
    key = await app.key(Scope.AUDIT_READ)
    async with app.http.head(PATH, headers=key) as looked:
        tag = looked.headers["ETag"]

    status, _, raw = await ranged(app, PATH, key | {"Range": "bytes=4-", "If-Range": tag})

    assert status == 206
    assert not raw.startswith(b"PK")


async def test_nothing_leaves_before_the_log_holds_who_takes_it(app: App) -> None:
    """Told first: who takes it and cannot be told of gets nothing."""
    await app.subscribe()
    await app.tick()
    key = await app.key(Scope.AUDIT_READ)
    exporter = exports.Exports(app.parts, exports.at_once)
    taking = exports.Taking(Form.CSV, Actor.API)
    export = await exporter.of_log(taking)
    assert export is not None

    before = await told(app, Kind.AUDIT_EXPORTED)
    await exporter.tell(export, taking)
    async with app.http.get(PATH, headers=key) as answer:
        told_with_the_head = await told(app, Kind.AUDIT_EXPORTED)
        await answer.read()

    assert (before, len(told_with_the_head)) == ([], 2)


async def test_what_somebody_else_may_have_said_in_their_name_is_withheld(app: App) -> None:
    """As in their dossier: a request that was contested stays closed, and the proof stands."""
    shown = exports._Shown(frozenset({"con_1"}))

    assert shown(Kind.CONSENT_REQUESTED, {"consent": "con_1"}) is Showing.WITHHELD
    assert shown(Kind.CONSENT_REQUESTED, {"consent": "con_2"}) is Showing.OPENED
    asking = {"message": "msg_1", "purpose": moving.ASKING}
    assert shown(Kind.PERMIT_BATCH, asking) is Showing.LEFT_OUT
    assert shown(Kind.DELIVERY_BATCH, {"message": "msg_1"}) is Showing.LEFT_OUT
