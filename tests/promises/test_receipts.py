"""Promise 6, by a person's own hand: with a receipt they show that their entry is not there."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from audit import checkpoints, public
from audit.checkpoints import Checkpoint
from audit.entry import parse
from audit.export.jsonl import check_jsonl, jsonl
from audit.rowmac import RowMacs
from audit.tables import audit_checkpoint, audit_entry, audit_state
from audit.tree import Frontier, leaf_hash
from storage.ids import named
from tests.http.test_my_data import session
from tests.support import stores
from tests.support.apps import App
from tests.support.audit import MOMENT

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)

DAY = timedelta(days=1)
_EVENT = re.compile(r'<dd class="hash">(evt_[a-z0-9]+)</dd>')
_CHECKSUM = re.compile(
    r'<dd class="hash">([A-Za-z0-9+/]{40})<span class="tail">([A-Za-z0-9+/]{3}=)</span></dd>'
)
_SEAL = re.compile(r'<pre class="hash">([^<]+)</pre>')


async def show(app: App) -> None:
    """What a night does: covers, and the checkpoint over them."""
    await app.tick()
    await public.show(app.parts.data, app.parts.log, app.parts.clock)
    await app.tick()


async def confirmed(app: App) -> str:
    """Confirm, and what the page says; shown only to who presses, not to who looks."""
    token = await app.confirmation()
    answer = await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    looked = await (await app.http.get(f"/confirm/{token}")).text()
    assert "evt_" not in looked
    return await answer.text()


async def why(app: App) -> str:
    return await (await app.http.get("/my-data/why", headers=await session(app, "why"))).text()


async def test_who_confirms_gets_the_number_and_the_checksum_of_the_entry(app: App) -> None:
    page = await confirmed(app)
    await app.tick()

    ((event,), (checksum,)) = (_EVENT.findall(page), _CHECKSUM.findall(page))
    async with app.parts.data.read() as connection:
        kept = select(audit_entry.c.entry).where(audit_entry.c.kind == "consent.confirmed")
        raw = (await connection.execute(kept)).scalar_one()
    assert named("evt", parse(raw).eid) == event
    assert json.loads(raw)["cm"]["evidence"] == "".join(checksum)
    assert str(app.parts.log.first) not in page, "no checkpoint: there is no public one over it"


async def test_own_pages_show_the_first_public_checkpoint_that_covers_it_and_no_other(
    app: App,
) -> None:
    await show(app)
    page = await confirmed(app)
    before = await why(app)
    assert _EVENT.findall(before) == _EVENT.findall(page)
    assert "none covers this entry yet" in before
    app.step(DAY)
    await show(app)
    first = (await (await app.http.get("/v1/audit/checkpoint")).text()).strip()
    app.step(2 * DAY)
    await show(app)

    (seal,) = _SEAL.findall(await why(app))

    assert html.unescape(seal).strip() == first
    assert (await (await app.http.get("/v1/audit/checkpoint")).text()).strip() != first


async def test_who_is_not_asked_by_their_own_mailbox_is_told_no_number(app: App) -> None:
    """The link of a mail may have been forwarded."""
    await app.subscribe()
    key = await app.key()
    content = {"subject": "Hello", "text": "Hello"}
    body = {"to": {"email": "ada@example.org"}, "purpose": "newsletter", "content": content}
    await app.http.post("/v1/messages", json=body, headers=key)
    (mail,) = await app.deliver()

    page = await (await app.http.get(f"/why/{mail.token('why')}")).text()

    assert "evt_" not in page


async def test_a_log_written_anew_without_the_entry_is_convicted_by_the_receipt(app: App) -> None:
    """By who has every key."""
    await confirmed(app)
    app.step(DAY)
    await show(app)
    page = await why(app)
    (event,), (seal,) = set(_EVENT.findall(page)), _SEAL.findall(page)
    assert await export_says(app, html.unescape(seal)) == (True, event in await events(app))

    await rewrite_without(app, "consent.confirmed")

    assert await export_says(app, None) == (True, True), "whoever has no receipt sees nothing"
    assert event not in await events(app)
    assert not (await export_says(app, html.unescape(seal)))[0]


async def events(app: App) -> set[str]:
    async with app.parts.data.read() as connection:
        rows = (await connection.execute(select(audit_entry.c.eid))).scalars()
        return {named("evt", eid) for eid in rows}


async def export_says(app: App, kept: str | None) -> tuple[bool, bool]:
    """Whether an export is what it should be, to who has the receipt's seal."""
    verifier = app.parts.publisher.verifier
    lines = [line async for line in jsonl(app.parts.data, app.parts.log, verifier)]
    whole = b"".join(lines).splitlines(keepends=True)
    return check_jsonl(iter(whole), verifier, [kept] if kept else []).ok, True


async def rewrite_without(app: App, kind: str) -> None:
    parts, ring = app.parts, app.parts.keyring
    macs, tree = RowMacs(ring.audit, parts.log.first, 0), Frontier()
    async with parts.data.begin() as connection:
        rows = [row for row in await stores.rows(connection, audit_entry) if row["kind"] != kind]
        for at, row in enumerate(rows):
            row |= {"leaf_index": at, "leaf_hash": leaf_hash(row["entry"])}
            row |= macs.entry(at, row["entry"])._asdict()
        tree.extend([row["leaf_hash"] for row in rows])
        signed = Checkpoint(parts.log.first, tree.size, tree.root)
        note = checkpoints.sign(signed, ring.signing.secret.reveal())
        for table in (audit_entry, audit_checkpoint):
            await connection.execute(delete(table))
        await connection.execute(insert(audit_entry), rows)
        state = {"size": tree.size, "frontier": tree.packed}
        await connection.execute(update(audit_state).values(state))
        shown = {"size": tree.size, "note": note, "published_at": MOMENT}
        await connection.execute(insert(audit_checkpoint).values(shown))
