"""The whole journey from outside: HTTP and SMTP only."""

from __future__ import annotations

import asyncio
import json
import re

from delivery import dkim
from tests.support.gateways import Gateway, Received

ADA = "ada@example.org"


async def test_a_person_signs_up_is_mailed_leaves_and_is_refused_from_then_on(
    gateway: Gateway,
) -> None:
    key = await asyncio.to_thread(gateway.api_key)

    status, refusal = await gateway.send(key, ADA)
    assert (status, refusal["reason"], refusal["class"]) == (403, "unknown", "ask_first")

    assert await gateway.sign_up(ADA, "newsletter", profile={"first_name": "Ada"}) == 202
    confirmation = await _asked(gateway, key)
    # not the letters alone: links are dice
    assert not re.search(r"\bAda\b", confirmation.text), "the mail carries words of the form"
    assert confirmation.mail["List-Unsubscribe"] is None
    status, refusal = await gateway.send(key, ADA)
    assert (status, refusal["reason"]) == (403, "pending")

    async with gateway.http.get(confirmation.link("confirm")) as page:
        assert page.status == 200
        assert "Yes, send me the newsletter." in await page.text()
    status, refusal = await gateway.send(key, ADA)
    assert (status, refusal["reason"]) == (403, "pending"), "looking confirmed"
    async with gateway.http.post(confirmation.link("confirm"), data={"answer": "confirm"}) as page:
        assert page.status == 200

    question = {"to": {"email": "ADA@example.org"}, "purpose": "newsletter"}
    status, permission = await gateway.call(key, "POST", "/v1/permissions", question)
    assert permission["granted"]
    status, queued = await gateway.send(key, ADA)
    assert status == 202
    seen = await gateway.await_status(key, queued["message_id"], "sent")
    assert seen["permit"]["ground"] == permission["ground"]
    assert [one["outcome"] for one in seen["attempts"]] == ["sent"]
    nurture = gateway.received(ADA)[1]
    assert nurture.mail["Message-ID"] == seen["message_id_header"]
    unsubscribe = nurture.link("unsubscribe")
    assert f"List-Unsubscribe: <{unsubscribe}>\r\n".encode() in nurture.raw
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in nurture.raw

    records = json.loads(await asyncio.to_thread(gateway.command, "dkim", "show", "--json"))
    published = {one["name"]: one["value"] for one in records}
    assert dkim.verify(nurture.raw, published)
    assert not dkim.verify(nurture.raw.replace(b"Hello", b"Hallo"), published)

    for route in ("unsubscribe", "why", "preferences"):
        async with gateway.http.get(nurture.link(route)) as page:
            assert page.status == 200
            assert ADA not in await page.text()
    status, permission = await gateway.call(key, "POST", "/v1/permissions", question)
    assert permission["granted"], "looking at a link withdrew"

    one_click = {"List-Unsubscribe": "One-Click"}
    async with gateway.http.post(unsubscribe, data=one_click, allow_redirects=False) as answer:
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers
    status, refusal = await gateway.send(key, ADA)
    assert (status, refusal["reason"], refusal["class"]) == (403, "withdrawn", "never")
    assert len(gateway.received(ADA)) == 2

    await _defend(gateway, nurture.raw, queued["message_id"], permission["ground"])
    assert "ok" in (await asyncio.to_thread(gateway.command, "audit", "verify")).lower()
    kinds = await _kinds(gateway, key, "consent.withdrawn")
    story = [kind for kind in kinds if kind.startswith("consent.")]
    assert story == [
        "consent.requested",
        "consent.mail_sent",
        "consent.confirmed",
        "consent.withdrawn",
    ]


async def _asked(gateway: Gateway, key: str) -> Received:
    """The mail that asks, once it is known to be sent: a quick person might act before that."""
    mail = await gateway.await_mail(ADA)
    await _kinds(gateway, key, "consent.mail_sent")
    return mail


async def _kinds(gateway: Gateway, key: str, last: str) -> list[str]:
    """Of all that has its place in the log, once *last* has it."""
    async with asyncio.timeout(60):
        while True:
            _, listed = await gateway.call(key, "GET", "/v1/audit/events?limit=1000")
            kinds = [event["kind"] for event in listed["events"]]
            if last in kinds:
                return kinds
            await asyncio.sleep(0.05)


async def _defend(gateway: Gateway, raw: bytes, message: str, ground: object) -> None:
    """As its last step, the tour of the README does so too."""
    file = gateway.directory / "complained.eml"
    file.write_bytes(raw)
    found = json.loads(await asyncio.to_thread(gateway.command, "defend", str(file), "--json"))
    assert (found["ours"], found["message_id"]) == (True, message)
    spoken = await asyncio.to_thread(gateway.command, "defend", str(file))
    assert re.search(r"^permit: \S+\+00:00, ", spoken, re.MULTILINE)
    assert not re.search(r"\dZ\b", spoken), "all its moments are spelt one way"
    assert (found["ground"], found["signed"]["as_it_was_sent"]) == (ground, True)
    assert found["consent"]["consent"]["state"] == "withdrawn"
    paper = gateway.directory / "letter.pdf"
    command = ("defend", str(file), "-o", str(paper), "--locale", "de", "--case", "2026-17")
    assert "ours\n" in await asyncio.to_thread(gateway.command, *command)
    assert paper.read_bytes().startswith(b"%PDF-")
    file.write_bytes(raw.replace(b"Hello", b"Hallo"))
    altered = await asyncio.to_thread(gateway.try_command, "defend", str(file))
    assert (altered.returncode, altered.stdout.split("\n")[0]) == (3, "not ours: altered")
