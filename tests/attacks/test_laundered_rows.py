"""By SQL: a row that was put back, or deleted, and a duty that writes it down as its own doing.

`audit verify` names an old row by its event, which is not the last one. A duty that ends
such a row, or forgets its person, must not write the event that makes it fit.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, insert, select, update

from audit.kinds import Kind
from audit.tables import audit_entry, audit_payload
from consent import tables as consents
from gateway.flows.keeping.end_consents import Ending
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from tests.support.apps import ADA, App
from tests.support.stores import Rows, rows

DAY = timedelta(days=1)
consent, tie = consents.consent, consents.confirmation_consent


async def duties(app: App) -> None:
    """Expiry and every rule of retention, as they run by themselves."""
    await app.tick()
    for rule in RetentionRules(app.parts).rules().values():
        while await rule():
            pass
    await app.tick()


async def kept(app: App) -> Rows:
    async with app.parts.data.read() as connection:
        return await rows(connection, consent)


async def put_back(app: App, old: Rows) -> None:
    """As somebody who kept a copy of the rows."""
    async with app.parts.data.begin() as connection:
        ties = await rows(connection, tie)
        await connection.execute(delete(tie))
        await connection.execute(delete(consent).where(consent.c.id.in_([r["id"] for r in old])))
        await connection.execute(insert(consent), old)
        await connection.execute(insert(tie), ties)


async def people(app: App) -> int:
    async with app.parts.data.read() as connection:
        query = select(func.count()).select_from(consents.subject)
        return int((await connection.execute(query)).scalar_one())


async def withdraw(app: App) -> None:
    body = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    answer = await app.http.post("/v1/withdrawals", json=body, headers=await app.key())
    assert answer.status == 200


async def test_a_pending_row_put_back_does_not_end_the_proof_of_who_confirmed(app: App) -> None:
    """It is lapsed, and its person forgotten with every proof, within ten minutes."""
    token = await app.confirmation()
    pending = await kept(app)
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    await app.tick()
    assert (await verify(app.parts)).ok
    app.step(40 * DAY)
    assert await app.permission() == "granted"

    await put_back(app, pending)
    await duties(app)

    assert not (await verify(app.parts)).ok
    assert await people(app) == 1


async def test_a_pending_row_put_back_ends_no_proof_of_a_withdrawal(app: App) -> None:
    """Kept for three years, for whoever must answer for the mails that went before."""
    token = await app.confirmation()
    pending = await kept(app)
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    app.step(40 * DAY)
    await withdraw(app)
    await app.tick()
    assert (await verify(app.parts)).ok

    await put_back(app, pending)
    await duties(app)

    assert not (await verify(app.parts)).ok
    assert await people(app) == 1


async def test_a_row_put_back_that_expires_is_named_still(app: App) -> None:
    """Withdrawn, confirmed by a copy, and then ended by the duty: it says `lapsed`."""
    token = await app.confirmation()
    pending = await kept(app)
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    await app.tick()
    app.step(4 * DAY)

    await put_back(app, pending)
    await app.tick()

    assert not (await verify(app.parts)).ok


async def test_a_pending_row_put_back_that_is_left_by_link_is_named_still(app: App) -> None:
    """The word of the person ends it as a request that came to nothing."""
    token = await app.confirmation()
    pending = await kept(app)
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    await app.tick()

    await put_back(app, pending)
    await withdraw(app)
    await app.tick()

    assert not (await verify(app.parts)).ok


async def test_who_is_known_for_a_consent_that_was_deleted_is_not_forgotten(app: App) -> None:
    """For another one of theirs came to nothing, and only that is seen."""
    await app.sign_up()
    await app.deliver()
    app.step(timedelta(minutes=1))
    await app.subscribe()  # what was asked before lapses
    await app.tick()
    assert {row["state"] for row in await kept(app)} == {"lapsed", "confirmed"}
    app.step(31 * DAY)

    async with app.parts.data.begin() as connection:
        theirs = select(consent.c.id).where(consent.c.state == "confirmed")
        await connection.execute(delete(tie).where(tie.c.consent.in_(theirs)))
        await connection.execute(delete(consent).where(consent.c.state == "confirmed"))
    await duties(app)

    assert not (await verify(app.parts)).ok
    assert await people(app) == 1


async def test_a_link_that_was_spent_confirms_no_row_that_was_put_back(app: App) -> None:
    """By whoever carried the mail, and so has the link: "not me" was answered, and is final."""
    token = await app.confirmation()
    pending = await kept(app)
    answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
    assert answer.status == 200
    await app.tick()
    assert await app.permission() == "rejected"

    await put_back(app, pending)
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    await app.tick()

    assert await app.permission() != "granted" or not (await verify(app.parts)).ok


async def test_a_withdrawal_is_not_undone_by_the_link_of_before(app: App) -> None:
    token = await app.confirmation()
    pending = await kept(app)
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    app.step(timedelta(hours=1))
    await withdraw(app)
    await app.tick()

    await put_back(app, pending)
    app.step(timedelta(hours=1))
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    await app.tick()

    assert await app.permission() != "granted" or not (await verify(app.parts)).ok


async def test_a_pending_row_put_back_is_not_ended_by_the_next_confirmation(app: App) -> None:
    """It was left; a later request of its purpose ends what waits as `lapsed`."""
    token = await app.confirmation()
    pending = await kept(app)
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    app.step(timedelta(hours=1))
    await withdraw(app)
    app.step(timedelta(hours=1))
    again = await app.confirmation()

    await put_back(app, pending)
    await app.http.post(f"/confirm/{again}", data={"answer": "confirm"})
    await app.tick()

    assert await app.permission() == "granted"
    (old,) = [one for one in await kept(app) if one["id"] == pending[0]["id"]]
    assert old["state"] == "pending"
    assert not (await verify(app.parts)).ok


async def test_a_confirmed_row_put_back_is_not_ended_with_its_wording(app: App) -> None:
    await app.subscribe()
    confirmed = await kept(app)
    await withdraw(app)
    await app.tick()

    await put_back(app, confirmed)
    (text,) = await app.texts("newsletter")
    ending = Ending(app.parts, text)
    while await ending.some() is not None:
        pass
    await app.tick()

    assert [one["state"] for one in await kept(app)] == ["confirmed"]
    assert not (await verify(app.parts)).ok


async def test_a_row_put_back_without_its_last_event_ends_no_proof(app: App) -> None:
    """What tells of the confirmation is away, and the person's row says that it never was."""
    token = await app.confirmation()
    pending = await kept(app)
    subject = consents.subject
    async with app.parts.data.read() as connection:
        (person,) = await rows(connection, subject)
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    await app.tick()
    app.step(40 * DAY)

    await put_back(app, pending)
    async with app.parts.data.begin() as connection:
        told = select(audit_entry.c.eid).where(audit_entry.c.kind == Kind.CONSENT_CONFIRMED)
        await connection.execute(delete(audit_payload).where(audit_payload.c.eid.in_(told)))
    await duties(app)
    assert await people(app) == 1

    async with app.parts.data.begin() as connection:
        place = {name: person[name] for name in ("trail_length", "trail_last")}
        await connection.execute(update(subject).values(place))
    await duties(app)
    assert not (await verify(app.parts)).ok


async def test_what_was_laundered_before_is_named_still(app: App) -> None:
    """By a process of an earlier release, which asked nobody: the order of the events tells it."""
    token = await app.confirmation()
    pending = await kept(app)
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    await app.tick()
    await put_back(app, pending)

    await withdraw(app)  # as `rejected`: leaving asks nobody
    await app.tick()

    said = (await verify(app.parts)).rows
    assert (
        f"consent {pending[0]['id']}: the log tells of states that cannot follow each other" in said
    )
