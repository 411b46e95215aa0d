"""Messages that wait as the first release stored them are sent, whatever wrote them."""

from __future__ import annotations

import json
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from consent import address
from consent.keys.vault import Compartment
from delivery import tables
from delivery.outcome import Kind
from gateway.flows.rights import fresh_link
from gateway.flows.sending.content import place
from tests.support.apps import ADA, App

BOB = "bob@example.org"
VECTORS = Path(__file__).parent.parent / "vectors" / "content.json"
STORED = json.loads(VECTORS.read_text())["stored"]


async def queue(app: App, name: str) -> str:
    """Let a message of that kind wait, and tell to whom."""
    await app.subscribe(ADA)
    if name == "confirmation":
        await app.sign_up(BOB)
        await app.tick()
        return BOB
    if name == "fresh link":
        await fresh_link.accept(app.parts, address.parse(ADA), None)
        await fresh_link.work_off(app.parts)
        return ADA
    said = {"subject": "s", "text": "t"}
    body = {"to": {"email": ADA}, "purpose": "newsletter", "content": said}
    answer = await app.http.post("/v1/messages", json=body, headers=await app.key())
    assert answer.status == 202
    return ADA


async def put_in(app: App, kind: Kind, raw: bytes) -> None:
    """Let the one message that waits say *raw*."""
    outbox, content = tables.outbox, tables.content
    async with app.parts.data.begin() as connection:
        query = select(outbox).where(outbox.c.status == "queued")
        (row,) = (await connection.execute(query)).all()
        assert row.kind == kind
        vault = await app.parts.keystore.vault({row.subject})
        bound_to = place(row.content, kind, row.purpose)
        sealed = vault.seal(row.subject, Compartment.PROFILE, bound_to, raw)
        change = update(content).where(content.c.id == row.content)
        await connection.execute(change.values(sealed=sealed))


@pytest.mark.parametrize("one", STORED, ids=[one["name"] for one in STORED])
async def test_what_waits_in_the_form_of_the_first_release_is_sent(
    limited: App, one: dict[str, Any]
) -> None:
    to = await queue(limited, one["name"])
    await put_in(limited, Kind(one["kind"]), one["bytes"].encode())

    (mail,) = await limited.deliver()

    parsed = message_from_bytes(mail.raw, policy=policy.default)
    parts = [part.get_content() for part in parsed.walk() if not part.is_multipart()]
    said = "\n".join([str(parsed["subject"]), *parts])
    assert mail.to == to
    assert [text for text in one["shows"] if text not in said] == []
