"""A look that nobody sees: however a caller learns of somebody, an event tells of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from audit import entry, trail
from audit.kinds import Kind
from audit.tables import audit_entry, audit_item
from consent import gates
from gateway.callers.api_keys import Scope
from gateway.flows.proving.verify import verify
from tests.support.apps import ADA, App
from tests.support.calls import call
from tests.support.hostile import by_sql

BOB = "bob@example.org"
NOBODY = {"subject_id": "sub_" + "0" * 26}


def question(email: str = ADA) -> dict[str, Any]:
    return {"to": {"email": email}, "purpose": "newsletter"}


async def looks(app: App, kind: Kind) -> list[entry.Entry]:
    """The events of *kind*, in order, once the sequencer came by."""
    async with app.parts.data.begin() as connection:
        await app.parts.log.sequence(connection)
    query = select(audit_entry.c.entry).where(audit_entry.c.kind == kind)
    async with app.parts.data.read() as connection:
        found = await connection.execute(query.order_by(audit_entry.c.leaf_index))
        return [entry.parse(one) for one in found.scalars()]


async def told_of(app: App, kind: Kind, email: str = ADA) -> list[dict[str, Any]]:
    """What the person's own trail says of such events."""
    subject = await app.subject(email)
    assert subject is not None
    vault = await app.parts.keystore.vault([subject])
    async with app.parts.data.read() as connection:
        events = await trail.trail(connection, subject, vault)
    shown = [one for event in events if event.entry.kind is kind for one in event.disclosures]
    return [dict(one.facts) for one in shown if one.facts is not None]


async def test_who_asks_for_a_permission_stands_in_the_trail_of_whom_it_was_about(
    app: App,
) -> None:
    await app.subscribe()
    key = await app.key(Scope.PERMISSIONS_READ)

    granted = await call(app, key, "POST", "/v1/permissions", question())
    unknown = await call(app, key, "POST", "/v1/permissions", question(BOB))
    nobody = await call(app, key, "POST", "/v1/permissions", question() | {"to": NOBODY})

    events = await looks(app, Kind.PERMISSION_ASKED)
    (key_id,) = {one.refs["api_key"] for one in events}
    assert key_id.startswith("key_")
    assert [one.batch and one.batch.count for one in events] == [1, 1, 1]
    assert granted[1]["granted"]
    assert unknown == nobody
    (said,) = await told_of(app, Kind.PERMISSION_ASKED)
    assert (said["purpose"], said["answer"]) == ("newsletter", "granted")
    async with app.parts.data.read() as connection:
        rows = await connection.execute(select(audit_item.c.subject, audit_item.c.sealed))
        unnamed = [row.sealed for row in rows if row.subject is None]
    assert len(unnamed) == 2
    assert not any(BOB.encode() in one for one in unnamed)
    await app.tick()
    assert (await verify(app.parts)).ok


async def test_of_somebody_unknown_the_event_is_as_long_as_of_anybody(app: App) -> None:
    await app.confirmation()
    key = await app.key(Scope.PERMISSIONS_READ)

    for email in (ADA, BOB):
        assert not (await call(app, key, "POST", "/v1/permissions", question(email)))[1]["granted"]

    async with app.parts.data.begin() as connection:
        await app.parts.log.sequence(connection)
    async with app.parts.data.read() as connection:
        query = select(audit_entry.c.entry).where(audit_entry.c.kind == Kind.PERMISSION_ASKED)
        known, unknown = (await connection.execute(query)).scalars()
    assert len(known) == len(unknown)


async def test_no_answer_without_its_event(app: App) -> None:
    await app.subscribe()
    key = await app.key(Scope.PERMISSIONS_READ)
    await by_sql(app, "ALTER TABLE audit_item RENAME TO taken_away")

    status, said = await call(app, key, "POST", "/v1/permissions", question())

    assert status >= 500
    assert "granted" not in said


async def test_who_looks_waits_for_no_gate_and_holds_none(app: App) -> None:
    if app.parts.data.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    await app.subscribe()
    subject = await app.subject()
    assert subject is not None
    key = await app.key(Scope.PERMISSIONS_READ)

    async with app.parts.data.begin() as connection:
        await gates.lock(connection, [subject])
        # As nobody holds it, but who removes the row: whoever so much as shares it waits.
        await connection.execute(text(f"SELECT 1 FROM subject WHERE id = '{subject}' FOR UPDATE"))  # noqa: S608
        async with asyncio.timeout(60):
            status, said = await call(app, key, "POST", "/v1/permissions", question())

    assert (status, said["granted"]) == (200, True)


async def test_a_refused_message_names_the_key_that_learned_why(app: App) -> None:
    await app.confirmation()
    key = await app.key(Scope.MESSAGES_SEND)
    content = {"subject": "News", "text": "Hello."}

    status, said = await call(app, key, "POST", "/v1/messages", question() | {"content": content})

    assert (status, said["reason"]) == (403, "pending")
    await looks(app, Kind.MESSAGE_REFUSED)
    (told,) = await told_of(app, Kind.MESSAGE_REFUSED)
    assert told["reason"] == "pending"
    assert told["api_key"].startswith("key_")


async def test_who_counts_whom_a_campaign_would_reach_stands_in_the_log_with_what_it_came_to(
    app: App,
) -> None:
    """Narrowed to one person by answer and moment, the numbers say what that person answered."""
    body = await app.posted(profile={"first_name": "Ada"})
    await app.http.post("/forms/signup", json=body)
    (mail,) = await app.deliver()
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    app.step(timedelta(seconds=1))
    key = await app.key(Scope.CAMPAIGNS_SEND)
    order = {"purpose": "newsletter", "content": {"subject": "June", "text": "x"}, "dry_run": True}

    numbers = []
    for guess in ("Eve", "Ada"):
        narrowed = order | {"audience": {"profile": {"first_name": guess}}}
        numbers.append((await call(app, key, "POST", "/v1/campaigns", narrowed))[1]["recipients"])
    await call(app, key, "POST", "/v1/campaigns", order)

    assert numbers == [0, 1]
    events = await looks(app, Kind.AUDIENCE_COUNTED)
    said = [(one.refs["answers"], one.refs["recipients"], one.refs["refused"]) for one in events]
    assert said == [("1", "0", "0"), ("1", "1", "0"), ("0", "1", "0")]
    assert {one.refs["api_key"][:4] for one in events} == {"key_"}
    assert {one.refs["purpose"] for one in events} == {"newsletter"}
    await app.tick()
    assert (await verify(app.parts)).ok
