"""By SQL: whose keys an erasure destroys, whether it begins, and whether it is final.

A key that is destroyed does not come back, and who was told that they are forgotten is.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from audit.kinds import Actor, Kind
from audit.tables import audit_entry, audit_item
from consent import address
from consent import tables as consents
from consent.keys import tables as keys
from consent.keys.vault import OF_PEOPLE, Compartment
from delivery.permits import Spending
from delivery.tables import outbox, permit
from gateway.flows.leaving.asked_there import Askers
from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.flows.rights.erase import Erasures, Request, _Begun
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from gateway.process.desk import Desk
from tests.promises.test_erased_is_erased import BOB, erase, keys_of, run_rules, sound
from tests.support.apps import ADA, App
from tests.support.calls import queue
from tests.support.stores import Rows, rows

DAY = timedelta(days=1)
person, erasure = consents.subject, consents.erasure


async def executed(app: App, *statements: Any) -> None:
    async with app.parts.data.begin() as connection:
        for one in statements:
            await connection.execute(one)


async def kept(app: App, table: Any) -> Rows:
    async with app.parts.data.read() as connection:
        return await rows(connection, table)


async def first_step(app: App, asked: Request) -> _Begun | None:
    """What is written before anybody is waited for."""
    askers = Askers(SameMailbox(app.parts.keyring.suppression, app.parts.lookup))
    return await Erasures(Erasing(app.parts))._begin(asked, askers)


async def begun(app: App, email: str = ADA) -> None:
    """The first step, after which a process dies or a key store is away."""
    asked = Request(Question("", address.parse(email)), Actor.API, "letter")
    assert await first_step(app, asked) is not None


async def test_an_address_pointed_at_somebody_else_has_nobody_else_erased(app: App) -> None:
    """Whoever owns Bob's mailbox asks to be forgotten, and Ada's proof is gone."""
    await app.subscribe(ADA)
    await app.subscribe(BOB)
    ada, bob = await app.subject(ADA), await app.subject(BOB)
    assert ada is not None
    index = consents.subject_index
    names = [one for one in await kept(app, index) if one["subject"] == bob]
    await executed(app, update(index).where(index.c.subject == bob).values(subject=ada))

    await erase(app, email=BOB)

    await executed(app, delete(index), insert(index).values(names))
    assert await sound(app) != [], "the row is as it was, and nobody sees what happened"
    assert await keys_of(app, ada) == set(OF_PEOPLE)


async def test_a_planted_row_of_an_erasure_keeps_nobody_from_being_erased(app: App) -> None:
    """ADR 0023: who writes rows must not keep somebody from being erased."""
    await app.subscribe()
    ada = await app.subject()
    now = app.parts.clock.wall()
    planted = {
        "id": "era_" + "0" * 26,
        "subject": ada,
        "state": "erasing",
        "channel": "x",
        "received_at": now,
        "asked_at": now,
        "due_at": now,
        "eid": secrets.token_bytes(16),
    }
    await executed(app, insert(erasure).values(planted))

    status, _ = await erase(app)

    assert status == 202


async def test_a_request_that_is_away_while_it_is_carried_out_frees_no_locked_evidence(
    app: App,
) -> None:
    """What the person was told stays for three years is destroyed, and nobody is told."""
    await app.subscribe()
    ada = await app.subject()
    assert ada is not None
    await begun(app)
    (request,) = await kept(app, erasure)
    assert request["locked_until"] is not None

    await executed(app, delete(erasure))
    await run_rules(app)
    await executed(app, insert(erasure).values(request))

    assert await keys_of(app, ada) == {Compartment.EVIDENCE} or await sound(app) != []


async def test_who_was_erased_put_back_into_the_middle_of_it_loses_no_locked_evidence(
    app: App,
) -> None:
    await app.subscribe()
    ada = await app.subject()
    assert ada is not None
    await begun(app)
    (middle,) = await kept(app, person)
    await run_rules(app)
    assert await sound(app) == []
    assert await keys_of(app, ada) == {Compartment.EVIDENCE}
    (request,) = await kept(app, erasure)

    values = {name: middle[name] for name in ("state", "kid", "mac")}
    await executed(app, delete(erasure), update(person).values(values))
    await run_rules(app)
    await executed(app, insert(erasure).values(request))

    assert await keys_of(app, ada) == {Compartment.EVIDENCE} or await sound(app) != []


async def test_repeating_an_erasure_waits_for_a_permit_that_is_away_too(app: App) -> None:
    """The first answer was 503 for it; the repetition, which is "safe", says 202."""
    await app.subscribe()
    ada = await app.subject()
    assert ada is not None
    await queue(app, text="Hello.")
    desk = Desk(app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    away = await kept(app, permit)
    mine = [one for one in away if one["id"] == parcel.permit]
    await executed(app, delete(permit).where(permit.c.id == parcel.permit))
    assert (await erase(app))[0] == 503

    status, _ = await erase(app, subject_id=ada)

    await executed(app, insert(permit).values(mine))
    spending = Spending(parcel.permit, parcel.message, parcel.attempt)
    spent = await desk.spend("wrk_slow", [spending])
    assert status != 202 or not spent


async def test_who_is_erased_twice_takes_no_facts_of_somebody_else_along(app: App) -> None:
    """Without keys nothing under their name is looked at: it goes, and is accounted for."""
    await app.subscribe(ADA)
    await app.confirmation(BOB)
    await app.permission(ADA)
    ada, bob = await app.subject(ADA), await app.subject(BOB)
    await begun(app, BOB)
    middle = [one for one in await kept(app, person) if one["id"] == bob]
    await run_rules(app)
    assert await sound(app) == []
    asked = select(audit_entry.c.eid).where(audit_entry.c.kind == Kind.PERMISSION_ASKED)
    hers = (audit_item.c.subject == ada) & audit_item.c.eid.in_(asked)
    looks = [one for one in await kept(app, audit_item) if one["subject"] == ada]
    assert looks

    await executed(
        app, insert(person).values(middle), update(audit_item).where(hers).values(subject=bob)
    )
    await run_rules(app)

    left = [one for one in await kept(app, audit_item) if one["subject"] == ada]
    assert left == looks or await sound(app) != []


async def test_who_is_put_back_before_their_keys_went_is_erased_all_the_same(app: App) -> None:
    """The process died, or the key store was away, after the answer: a duty does the rest."""
    await app.subscribe()
    ada = await app.subject()
    assert ada is not None
    body = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    answer = await app.http.post("/v1/withdrawals", json=body, headers=await app.key())
    assert answer.status == 200
    index = consents.subject_index
    (before,) = await kept(app, person)
    names = await kept(app, index)
    await begun(app)

    values = {one: before[one] for one in ("state", "kid", "mac")}
    await executed(app, update(person).values(values), insert(index).values(names))
    assert f"subject {ada}: an old row was put back: they asked to be forgotten" in await sound(app)
    await run_rules(app)

    (request,) = await kept(app, erasure)
    assert request["state"] == "done"
    assert await keys_of(app, ada) == {Compartment.EVIDENCE}
    assert await app.subject() is None
    # That somebody wrote that row stays named.
    told = f"erasure {request['id']}: rows that no gateway wrote so went with the person: 1"
    assert await sound(app) == [told]


async def test_locked_evidence_whose_key_somebody_destroyed_is_named(app: App) -> None:
    """A row of the ledger, which has no MAC, is all that speaks for him."""
    await app.subscribe()
    ada = await app.subject()
    await erase(app)
    assert await sound(app) == []

    async with app.parts.key_database.begin() as connection:
        theirs = keys.dek.c.subject == ada
        await connection.execute(delete(keys.dek).where(theirs))
        done = {"subject": ada, "compartment": "evidence", "done_at": app.parts.clock.wall()}
        await connection.execute(insert(keys.erasure_ledger).values(done))
    app.parts.keystore._people.forget([ada])
    await run_rules(app)

    assert await sound(app) != []


async def test_a_message_said_to_be_under_way_keeps_rows_of_an_erasure_and_is_named(
    app: App,
) -> None:
    """Its keys go all the same; a live worker's name keeps anybody from taking it over."""
    await app.subscribe()
    message = await queue(app, text="Hello.")
    await Desk(app.parts).register("wrk_alive")
    row = outbox.c.id == message
    await executed(app, update(outbox).where(row).values(status="sending", owner="wrk_alive"))
    ada = await app.subject()
    assert ada is not None

    await erase(app)
    await run_rules(app)

    assert await keys_of(app, ada) == {Compartment.EVIDENCE}
    named = f"outbox {message}: it is said to be under way, and no attempt of it is"
    assert named in await sound(app)
