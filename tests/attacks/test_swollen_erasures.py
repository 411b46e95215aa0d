"""By SQL: rows that are put under the name of somebody who goes, so that the log accounts for more.

An erasure says how many facts it let go, and a verification takes as many missing ones for
erased. Whoever writes rows must not choose that number.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import delete, func, insert, select, update

from audit.tables import audit_entry, audit_item, audit_payload
from consent import gates
from consent.keys import tables as keys
from consent.keys.vault import OF_PEOPLE
from consent.tables import subject as person
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from gateway.flows.rights import erasing, overview
from tests.support.apps import ADA, App

BOB = "bob@example.org"
DAY = timedelta(days=1)
STORY = ("consent.requested", "consent.mail_sent")


async def duties(app: App) -> None:
    await app.tick()
    for rule in RetentionRules(app.parts).rules().values():
        while await rule():
            pass
    await app.tick()


async def somebody_who_goes(app: App) -> str:
    """A stranger who never confirms; Ada does, and stays."""
    await app.subscribe(ADA)
    await app.confirmation(BOB)
    await app.tick()
    assert (await verify(app.parts)).ok
    found = await app.subject(BOB)
    assert found is not None
    return found


async def plant(app: App, subject: str, number: int) -> None:
    """Rows of no event at all."""
    facts = [
        {"eid": secrets.token_bytes(16), "subject": subject, "sealed": secrets.token_bytes(99)}
        for _ in range(number)
    ]
    async with app.parts.data.begin() as connection:
        payloads = [one | {"compartment": "evidence"} for one in facts]
        await connection.execute(insert(audit_payload), payloads)
        items = [one | {"position": 0, "commitment": secrets.token_bytes(32)} for one in facts]
        await connection.execute(insert(audit_item), items)


async def delete_her_story(app: App) -> None:
    """Who asked for what, where, with which words, and which mail went out."""
    ada = await app.subject(ADA)
    told = select(audit_entry.c.eid).where(audit_entry.c.kind.in_(STORY))
    row = audit_payload.c
    async with app.parts.data.begin() as connection:
        gone = delete(audit_payload).where(row.subject == ada, row.eid.in_(told))
        assert (await connection.execute(gone)).rowcount == len(STORY)


async def story(app: App) -> list[str]:
    ada = await app.subject(ADA)
    assert ada is not None
    seen = await overview.look(app.parts, ada)
    assert seen is not None
    return [step.kind.value for held in seen.consents for step in held.story]


async def test_facts_of_no_event_are_not_accounted_for_when_their_person_goes(app: App) -> None:
    bob = await somebody_who_goes(app)
    await plant(app, bob, 50)
    app.step(31 * DAY)
    await duties(app)
    assert await app.subject(BOB) is None

    await delete_her_story(app)

    assert not (await verify(app.parts)).ok


async def test_facts_of_no_event_are_named(app: App) -> None:
    bob = await somebody_who_goes(app)

    await plant(app, bob, 1)

    assert not (await verify(app.parts)).ok


async def test_facts_put_under_the_name_of_who_goes_do_not_go_with_them(app: App) -> None:
    bob = await somebody_who_goes(app)
    ada = await app.subject(ADA)
    app.step(31 * DAY)
    told = select(audit_entry.c.eid).where(audit_entry.c.kind.in_(STORY))
    row = audit_payload.c
    async with app.parts.data.begin() as connection:
        moved = update(audit_payload).where(row.subject == ada, row.eid.in_(told))
        assert (await connection.execute(moved.values(subject=bob))).rowcount == len(STORY)

    await duties(app)

    whole = ["consent.requested", "consent.mail_sent", "consent.confirmed"]
    assert await story(app) == whole or not (await verify(app.parts)).ok


async def test_who_is_erased_once_is_not_accounted_for_twice(app: App) -> None:
    """A row from the middle of the erasure, which fits its MAC, put back after its end."""
    bob = await somebody_who_goes(app)
    parts = app.parts
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, [bob])
        now = await parts.clock.now(connection)
        going = list(held.values())
        await erasing.begin(parts.log, connection, parts.rows, parts.lookup, None, going, now)
    async with parts.data.read() as connection:
        query = select(person).where(person.c.id == bob)
        (copy,) = [dict(row) for row in (await connection.execute(query)).mappings()]
    await duties(app)
    assert (await verify(parts)).ok

    async with parts.data.begin() as connection:
        await connection.execute(insert(person).values(copy))
    await plant(app, bob, 50)
    await duties(app)
    await delete_her_story(app)

    assert not (await verify(parts)).ok


async def test_a_ledger_that_somebody_filled_in_before_keeps_no_key_alive(app: App) -> None:
    """Promise 5: the keys go first, and the log says `erased` only then."""
    bob = await somebody_who_goes(app)
    app.step(31 * DAY)
    ledger = keys.erasure_ledger
    done = [
        {"subject": bob, "compartment": one, "done_at": app.parts.clock.wall()} for one in OF_PEOPLE
    ]
    async with app.parts.key_database.begin() as connection:
        await connection.execute(insert(ledger), done)

    await app.tick()
    await RetentionRules(app.parts).people()
    await app.tick()

    assert await app.subject(BOB) is None
    async with app.parts.key_database.read() as connection:
        query = select(func.count()).select_from(keys.dek).where(keys.dek.c.subject == bob)
        assert (await connection.execute(query)).scalar_one() == 0
