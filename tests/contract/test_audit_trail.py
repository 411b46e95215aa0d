"""A person's events, opened and checked: nobody else's, no hole unseen, nothing altered read."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from audit.entry import EVIDENCE, Event, Place, draft
from audit.kinds import Actor, Kind
from audit.tables import (
    audit_payload,
)
from audit.trail import Opening, gaps, trail
from storage.database import Database
from tests.support.audit import (
    GRACE,
    MOMENT,
    KeyRing,
    batch_event,
    create_log,
    person_events,
    write,
)

START = Place(GRACE, 0, None)


@pytest.fixture(autouse=True)
async def opened_log(database: Database, keystore: Database) -> None:
    await create_log(database, keystore)
    await write(database)


async def test_a_trail_holds_a_persons_events_and_items_and_nobody_elses(
    database: Database,
) -> None:
    ring = KeyRing()
    kinds = [Kind.CONSENT_REQUESTED, Kind.CONSENT_CONFIRMED]
    await write(
        database,
        *person_events(ring, START, *kinds),
        *person_events(ring, Place("sub_ada", 0, None), Kind.CONSENT_REQUESTED),
        batch_event(ring, ["sub_ada", GRACE, None]),
    )

    async with database.read() as connection:
        found = await trail(connection, GRACE, ring)

    assert [one.entry.kind for one in found] == [*kinds, Kind.PERMIT_BATCH]
    assert [one.opening for event in found for one in event.disclosures] == [Opening.OPENED] * 3
    assert [one.disclosures[0].position for one in found] == [None, None, 1]
    assert found[1].disclosures[0].facts is not None
    assert found[1].disclosures[0].facts["number"] == 1
    assert gaps(found) == []


@pytest.mark.parametrize(
    ("gone", "seen"),
    [([1, 2], False), ([1], True), ([2], True), ([], True), ([1, 2, 3], False)],
    ids=["both", "one", "the other", "none", "more"],
)
async def test_a_hole_that_a_later_event_accounts_for_is_none(
    database: Database, gone: list[int], seen: bool
) -> None:
    ring = KeyRing()
    drafts = person_events(ring, START, *[Kind.CONSENT_REQUESTED] * 4)
    place = drafts[-1].next
    assert place is not None
    facts = {EVIDENCE: {"events": gone}}
    event = Event(Kind.EVIDENCE_ENDED, Actor.SYSTEM, MOMENT, facts=facts, place=place)
    ended = draft(event, ring, "node-1")
    await write(database, drafts[0], drafts[3], ended)

    async with database.read() as connection:
        found = await trail(connection, GRACE, ring)

    assert gaps(found) == ([found[1].index] if seen else [])


async def test_a_hole_in_a_trail_is_seen(database: Database) -> None:
    ring = KeyRing()
    drafts = person_events(ring, START, *[Kind.CONSENT_REQUESTED] * 4)
    await write(database, drafts[0], drafts[2], drafts[3])

    async with database.read() as connection:
        found = await trail(connection, GRACE, ring)

    assert gaps(found) == [found[1].index]


async def test_an_altered_payload_is_shown_as_such_and_not_read(database: Database) -> None:
    ring = KeyRing()
    await write(database, *person_events(ring, START, Kind.CONSENT_REQUESTED))
    async with database.begin() as connection:
        await connection.execute(update(audit_payload).values(sealed=bytes(100)))

    async with database.read() as connection:
        (found,) = await trail(connection, GRACE, ring)

    assert found.disclosures[0].opening is Opening.ALTERED
    assert found.disclosures[0].facts is None


async def test_another_persons_payload_under_the_same_key_does_not_fit(database: Database) -> None:
    ring = KeyRing()
    first, second = person_events(ring, START, *[Kind.CONSENT_REQUESTED] * 2)
    await write(database, first, second)
    async with database.begin() as connection:
        moved = update(audit_payload).where(audit_payload.c.eid == second.eid)
        await connection.execute(moved.values(sealed=first.payloads[0].sealed))

    async with database.read() as connection:
        found = await trail(connection, GRACE, ring)

    assert [one.disclosures[0].opening for one in found] == [Opening.OPENED, Opening.ALTERED]
