"""Promises 6, 7 and 11 against the database's administrator, who writes rows and has no key."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, Place, draft
from audit.errors import BadPending, GuardAhead
from audit.kinds import Actor, Kind
from audit.tables import (
    audit_checkpoint,
    audit_entry,
    audit_node,
    audit_payload,
    audit_pending,
    audit_state,
)
from audit.tree import Frontier
from consent.tables import subject
from gateway.callers.api_keys import Scope
from gateway.flows.joining import intake
from gateway.flows.proving.verify import Verification, verify
from gateway.process.lifespan import put_in_order
from tests.support.apps import ADA, App
from tests.support.audit import KeyRing

GRACE = "grace@example.org"
index = audit_entry.c.leaf_index

# On PostgreSQL by `make test-long`: what is asked does not depend on the database.
pytestmark = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


async def lived(app: App) -> int:
    """Two people who agreed, all of it published; how many entries there are."""
    await app.subscribe()
    await app.subscribe(GRACE)
    await app.deliver()
    await app.tick()
    assert (await verify(app.parts)).ok
    async with app.parts.data.read() as connection:
        return await app.parts.log.size(connection)


async def cut(connection: AsyncConnection, size: int) -> None:
    """Take the last entries away, and make everything beside them say that there were none."""
    await connection.execute(delete(audit_entry).where(index >= size))
    rows = await connection.execute(select(audit_entry.c.leaf_hash).order_by(index))
    frontier = Frontier()
    nodes = frontier.extend(list(rows.scalars()))
    await connection.execute(delete(audit_node))
    if nodes:
        await connection.execute(insert(audit_node), [node._asdict() for node in nodes])
    state = {"size": frontier.size, "frontier": frontier.packed}
    await connection.execute(update(audit_state).values(state))
    await connection.execute(delete(audit_checkpoint).where(audit_checkpoint.c.size > size))


async def test_entries_cut_off_together_with_the_state_are_missed_by_the_guard(app: App) -> None:
    size = await lived(app)
    async with app.parts.data.begin() as connection:
        await cut(connection, size - 5)
    held = app.parts.publisher.held

    found = await verify(app.parts)
    with pytest.raises(GuardAhead):  # ends a process that runs: nothing is sent any more
        await app.tick()
    with pytest.raises(GuardAhead):  # and none starts
        await put_in_order(app.parts)

    assert (found.ok, found.report.cut_off_after) == (False, size - 5)
    assert app.parts.publisher.held == held, "nothing was signed"


async def test_a_checkpoint_of_before_in_the_place_of_the_last_changes_nothing(app: App) -> None:
    size = await lived(app)
    async with app.parts.data.read() as connection:
        older = select(audit_checkpoint).order_by(audit_checkpoint.c.size).limit(1)
        note = (await connection.execute(older)).one().note
    async with app.parts.data.begin() as connection:
        await cut(connection, size - 5)
        row = {"size": size, "note": note, "published_at": app.parts.clock.wall()}
        await connection.execute(insert(audit_checkpoint).values(row))

    found = await verify(app.parts)

    assert (found.ok, found.report.cut_off_after) == (False, size - 5)
    assert any("is one of size" in one.text for one in found.report.findings)


async def test_a_confirmation_that_was_staged_by_sql_gets_no_place_in_the_log(app: App) -> None:
    size = await lived(app)
    facts = {"evidence": {"consent": "con_x", "purpose": "newsletter"}}
    place = Place(await person(app), 0, None)
    event = Event(
        Kind.CONSENT_CONFIRMED, Actor.SUBJECT, app.parts.clock.wall(), facts=facts, place=place
    )
    forged = draft(event, KeyRing(), app.parts.log.node)
    async with app.parts.data.begin() as connection:
        row = {"n": 10**9, "eid": forged.eid, "entry": forged.entry, "kid": 1}
        await connection.execute(
            insert(audit_pending).values(row | {"mac": secrets.token_bytes(32)})
        )

    with pytest.raises(BadPending):
        await app.tick()

    found = await verify(app.parts)
    assert not found.ok
    assert any("no gateway staged it" in one.text for one in found.report.findings)
    async with app.parts.data.read() as connection:
        assert await app.parts.log.size(connection) == size


async def person(app: App, email: str = ADA) -> str:
    found = await app.subject(email)
    assert found is not None
    return found


async def test_the_facts_of_two_people_that_were_swapped_open_for_neither(app: App) -> None:
    await lived(app)
    ada, grace = await person(app), await person(app, GRACE)
    sealed = audit_payload.c.sealed
    async with app.parts.data.begin() as connection:
        of = [
            (
                await connection.execute(
                    select(audit_payload.c.eid, sealed)
                    .join(audit_entry, audit_entry.c.eid == audit_payload.c.eid)
                    .where(
                        audit_payload.c.subject == who, audit_entry.c.kind == "consent.confirmed"
                    )
                )
            ).one()
            for who in (ada, grace)
        ]
        for one, other in (of, of[::-1]):
            this = update(audit_payload).where(audit_payload.c.eid == one.eid)
            await connection.execute(this.values(sealed=other.sealed))

    found = await verify(app.parts)

    bad = [one for one in found.report.findings if one.problem == "payload"]
    assert (found.ok, len(bad)) == (False, 2)


async def test_the_mailboxes_of_two_people_that_were_swapped_get_no_mail(app: App) -> None:
    await lived(app)
    ada, grace = await person(app), await person(app, GRACE)
    async with app.parts.data.begin() as connection:
        rows = {
            row.id: row.address
            for row in await connection.execute(select(subject.c.id, subject.c.address))
        }
        for who, other in ((ada, grace), (grace, ada)):
            this = update(subject).where(subject.c.id == who)
            await connection.execute(this.values(address=rows[other]))
    key, content = await app.key(), {"subject": "Hello", "text": "Hello"}
    for email in (ADA, GRACE):
        body = {"to": {"email": email}, "purpose": "newsletter", "content": content}
        await app.http.post("/v1/messages", json=body, headers=key)

    assert await app.deliver() == []


async def test_a_look_at_a_person_that_was_taken_out_of_the_log_is_missed(app: App) -> None:
    """Promise 11: whoever looked cannot have it forgotten."""
    await lived(app)
    reading = await app.key(Scope.SUBJECTS_READ)
    reason = reading | {"Access-Reason": "curious"}
    looked = await app.http.post("/v1/subjects/lookup", json={"email": ADA}, headers=reason)
    assert looked.status == 200
    await app.tick()
    async with app.parts.data.begin() as connection:
        last = select(index, audit_entry.c.eid).where(audit_entry.c.kind == "subject.accessed")
        at, eid = (await connection.execute(last.order_by(index.desc()).limit(1))).one()
        await connection.execute(delete(audit_entry).where(index == at))
        await connection.execute(delete(audit_payload).where(audit_payload.c.eid == eid))

    found = await verify(app.parts)

    assert named(found) in ({"first bad": at}, {"cut off after": at})


def named(found: Verification) -> dict[str, int]:
    report = found.report
    said = {"first bad": report.first_bad, "cut off after": report.cut_off_after}
    return {name: at for name, at in said.items() if at is not None}


async def test_a_clock_that_was_set_back_dates_nothing_back_unseen(app: App) -> None:
    """What a gateway writes by a clock that an operator set back is told in the log as that."""
    await lived(app)
    app.step(timedelta(days=-3))
    await app.sign_up("carol@example.org")
    while await intake.work_off(app.parts):
        pass
    async with app.parts.data.begin() as connection:
        now = await app.parts.clock.now(connection)
        await app.parts.log.sequence(connection, now=now)

    async with app.parts.data.read() as connection:
        steps = await app.parts.log.events(connection, kind=Kind.CLOCK_STEP)
    found = await verify(app.parts)

    assert len(steps) == 1
    assert found.ok, "an honest operator whose clock was wrong is convicted of nothing"
