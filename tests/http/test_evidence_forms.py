"""A consent's bundle is checked by who has nothing of ours; its other forms say the same."""

from __future__ import annotations

import asyncio
import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from gateway.callers.api_keys import Scope
from tests.support import bundles
from tests.support.apps import ADA, App
from tests.support.calls import GRACE, queue
from tests.support.proofs import WHY, consent_of, evidence, hand_over, proven


async def bundle(app: App, name: str) -> bytes:
    status, kind, raw = await evidence(app, name, "?format=bundle")
    assert (status, kind) == (200, "application/zip"), raw
    return raw


def facts_in(raw: bytes) -> list[dict[str, Any]]:
    """What a bundle discloses."""
    lines = map(json.loads, bundles.files_of(raw)["openings.jsonl"].splitlines())
    return [json.loads(base64.b64decode(one["opened"])[32:]) for one in lines if "opened" in one]


async def test_a_bundle_of_one_consent_convinces_who_has_nothing_of_ours(
    app: App, tmp_path: Path
) -> None:
    name, mail = await proven(app)
    await app.subscribe(ADA, "updates")
    await app.subscribe(GRACE)
    await queue(app, text="Hello.")
    await hand_over(app)
    await app.tick()

    raw = await bundle(app, name)
    path = tmp_path / "consent.zip"
    await asyncio.to_thread(path.write_bytes, raw)
    status, said = await asyncio.to_thread(bundles.check_alone, path, app.parts.publisher.vkey)

    assert (status, "ok; level: signed" in said) == (0, True), said
    assert "1 made again to the byte,\n  1 of whose links confirmed" in said
    files = bundles.files_of(raw)
    assert files[f"mails/{sha256(mail.raw).hexdigest()}.eml"] == mail.raw
    assert json.loads(files["about.json"])["kind"] == "consent"
    assert json.loads(files["evidence.json"])["consent"]["consent_id"] == name
    assert all(files[f"evidence.{one}.pdf"].startswith(b"%PDF-") for one in ("de", "en", "fr"))
    # That there are others of theirs is said; what they say is not.
    told = facts_in(raw)
    named = {one["consent"] for one in told if "consent" in one}
    assert named == {name}
    grounds = [one["ground"] for one in told if one.get("ground")]
    assert {one["kind"] for one in grounds} == {"confirmation", "consent"}
    assert b"withheld" in files["openings.jsonl"]
    assert GRACE.encode() not in b"".join(files.values())


async def test_the_bundle_has_the_source_of_the_notice_to_the_byte(app: App) -> None:
    name, _ = await proven(app)
    _, _, raw = await evidence(app, name)
    notice = json.loads(raw)["wording"]["bundle"]["notice"]

    digest = notice.removeprefix("sha256:")
    source = bundles.files_of(await bundle(app, name))[f"notices/{digest}.txt"]

    assert sha256(source).hexdigest() == digest
    assert source.startswith(b"# Privacy notice")


async def test_each_file_of_it_that_was_altered_or_left_out_is_found(app: App) -> None:
    name, _ = await proven(app)
    keys = app.parts.publisher.vkey
    files = bundles.files_of(await bundle(app, name))
    assert bundles.check_here(bundles.zipped(files), keys)[0]
    kinds = {one.partition("/")[0] for one in files}
    assert {"evidence.json", "evidence.de.pdf", "mails", "specimens", "openings.jsonl"} <= kinds

    for path, content in files.items():
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        rest = {other: files[other] for other in files if other != path}
        for altered in (files | {path: flipped}, rest):
            sound, said = bundles.check_here(bundles.zipped(altered), keys)

            assert (sound, path in said) == (False, True), (path, said)


async def test_what_is_not_covered_yet_makes_no_bundle(app: App) -> None:
    token = await app.confirmation()
    await app.tick()
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    name = await consent_of(app)

    early = await evidence(app, name, "?format=bundle")
    await app.tick()

    assert early[0] == 409
    assert (await evidence(app, name, "?format=bundle"))[0] == 200


async def test_while_a_link_can_confirm_no_bundle_has_the_mail(app: App) -> None:
    """Neither that of the consent nor that of the person."""
    await app.http.post("/forms/signup", json=await app.posted())
    (mail,) = await hand_over(app)
    await app.tick()
    token = mail.token("confirm").encode()
    key = await app.key(Scope.SUBJECTS_READ)

    raw = await bundle(app, await consent_of(app))
    headers = key | {"Access-Reason": WHY}
    async with app.http.post("/v1/audit/export", json={"email": ADA}, headers=headers) as answer:
        theirs = await answer.read()

    for made in (raw, theirs):
        assert bundles.check_here(made, app.parts.publisher.vkey)[0]
        assert token not in json.dumps(facts_in(made)).encode()
    await app.http.post(f"/confirm/{token.decode()}", data={"answer": "confirm"})
    await app.tick()
    raw = await bundle(app, await consent_of(app))
    assert token in json.dumps(facts_in(raw)).encode()


async def test_the_record_in_words_of_the_vocabulary_says_the_same(app: App) -> None:
    name, _ = await proven(app)

    status, kind, raw = await evidence(app, name, "?format=jsonld")

    said = json.loads(raw)
    assert (status, kind) == (200, "application/ld+json")
    assert (said["@type"], said["dct:identifier"]) == ("dpv:ConsentRecord", name)
    assert said["dpv:hasConsentStatus"] == "dpv:ConsentGiven"
    events = [one["@type"] for one in said["dct:hasPart"]]
    assert events == ["dpv:ConsentRequested", "dpv:ConsentGiven"]
    assert said["dpv:hasNotice"]["dct:description"] == "Yes, send me the newsletter."
    assert said["dpv:hasDataSubject"]["dpv:hasContact"] == ADA
