"""By SQL in both databases: a key that is away for a moment, and with it what the log tells.

Without the key nobody can say what there was; with it, minutes later, mails go out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, delete, insert, select, update

from consent import tables as consents
from consent.keys import tables as keys
from delivery.permits import Spending
from delivery.tables import permit
from gateway.flows.proving.verify import verify
from gateway.process.desk import Desk
from tests.attacks.test_hidden_rows import leave, mailed, queue
from tests.attacks.test_laundered_rows import duties, kept, people
from tests.promises.test_erased_is_erased import erase, sound
from tests.support.apps import ADA, App
from tests.support.stores import rows

DAY = timedelta(days=1)
consent, tie, dek = consents.consent, consents.confirmation_consent, keys.dek


async def hide_keys(app: App, subject: str) -> Sequence[Row[Any]]:
    """As of a minute ago: processes keep keys so long."""
    async with app.parts.key_database.begin() as connection:
        query = select(dek).where(dek.c.subject == subject)
        away = (await connection.execute(query)).all()
        await connection.execute(delete(dek).where(dek.c.subject == subject))
    app.parts.keystore._people.forget([subject])
    return away


async def bring_keys(app: App, subject: str, away: Sequence[Row[Any]]) -> None:
    async with app.parts.key_database.begin() as connection:
        await connection.execute(insert(dek), [dict(one._mapping) for one in away])
    app.parts.keystore._people.forget([subject])


async def final(app: App, answered: int) -> None:
    mails = [mail for mail in await app.deliver() if mail.to == ADA]
    await app.tick()
    assert answered != 200 or mails == [] or not (await verify(app.parts)).ok


async def test_a_consent_away_with_its_persons_key_while_they_leave_permits_nothing_quietly(
    app: App,
) -> None:
    mail = await mailed(app)
    ada = await app.subject(ADA)
    assert ada is not None
    away = await hide_keys(app, ada)
    async with app.parts.data.begin() as connection:
        theirs = [one for one in await rows(connection, consent) if one["subject"] == ada]
        ids = [one["id"] for one in theirs]
        ties = [one for one in await rows(connection, tie) if one["consent"] in ids]
        await connection.execute(delete(tie).where(tie.c.consent.in_(ids)))
        await connection.execute(delete(consent).where(consent.c.id.in_(ids)))

    answered = await leave(app, mail)

    async with app.parts.data.begin() as connection:
        await connection.execute(insert(consent), theirs)
        await connection.execute(insert(tie), ties)
    await bring_keys(app, ada, away)
    await final(app, answered)


async def test_a_permit_away_with_its_persons_key_is_not_spent_after_they_left(app: App) -> None:
    mail = await mailed(app)
    ada = await app.subject(ADA)
    assert ada is not None
    desk = Desk(app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    away = await hide_keys(app, ada)
    async with app.parts.data.begin() as connection:
        mine = [one for one in await rows(connection, permit) if one["id"] == parcel.permit]
        await connection.execute(delete(permit).where(permit.c.id == parcel.permit))

    answered = await leave(app, mail)

    async with app.parts.data.begin() as connection:
        await connection.execute(insert(permit), mine)
    await bring_keys(app, ada, away)
    spending = Spending(parcel.permit, parcel.message, parcel.attempt)
    spent = await desk.spend("wrk_slow", [spending])
    await app.tick()
    assert answered != 200 or not spent or not (await verify(app.parts)).ok


async def test_whose_consent_and_key_are_away_is_not_forgotten_quietly(app: App) -> None:
    """The log cannot be asked; so a subscriber goes, with every proof, and is accounted for."""
    await app.sign_up()
    await app.deliver()
    app.step(timedelta(minutes=1))
    await app.subscribe()  # what was asked before lapses
    await app.tick()
    assert {row["state"] for row in await kept(app)} == {"lapsed", "confirmed"}
    app.step(31 * DAY)
    ada = await app.subject()
    assert ada is not None
    assert await app.permission() == "granted"
    assert (await verify(app.parts)).ok

    async with app.parts.data.begin() as connection:
        theirs = select(consent.c.id).where(consent.c.state == "confirmed")
        await connection.execute(delete(tie).where(tie.c.consent.in_(theirs)))
        await connection.execute(delete(consent).where(consent.c.state == "confirmed"))
    await hide_keys(app, ada)
    await duties(app)

    assert await people(app) == 1 or not (await verify(app.parts)).ok


async def test_not_me_ends_what_is_away_with_its_persons_key(app: App) -> None:
    token = await app.subscribe(ADA)
    await queue(app)
    await app.tick()
    ada = await app.subject()
    assert ada is not None
    away = await hide_keys(app, ada)
    async with app.parts.data.begin() as connection:
        theirs, ties = await rows(connection, consent), await rows(connection, tie)
        await connection.execute(delete(tie))
        await connection.execute(delete(consent))

    answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})

    async with app.parts.data.begin() as connection:
        await connection.execute(insert(consent), theirs)
        await connection.execute(insert(tie), ties)
    await bring_keys(app, ada, away)
    await final(app, answer.status)


@pytest.mark.parametrize("word", ["stands", "deleted", "somebody else's"])
async def test_a_row_put_back_that_was_left_without_a_key_is_named(app: App, word: str) -> None:
    """The event of leaving names nobody, and the row that it ended is as it was before."""
    mail = await mailed(app)
    ada, bob = await app.subject(ADA), await app.subject("bob@example.org")
    assert ada is not None
    before = [one for one in await kept(app) if one["subject"] == ada]
    away = await hide_keys(app, ada)
    assert await leave(app, mail) == 200
    await bring_keys(app, ada, away)
    await app.tick()
    assert (await verify(app.parts)).ok, "who leaves so, and does nothing, is no tampering"

    person = consents.subject
    async with app.parts.data.begin() as connection:
        for row in before:
            await connection.execute(update(consent).where(consent.c.id == row["id"]).values(row))
        said = {one["id"]: one["left_unread"] for one in await rows(connection, person)}
        if word != "stands":
            none = update(person).where(person.c.id == ada).values(left_unread=None)
            await connection.execute(none)
        if word == "somebody else's":
            theirs = update(person).where(person.c.id == bob).values(left_unread=said[ada])
            await connection.execute(theirs)

    named = (await verify(app.parts)).rows
    expected = {
        "stands": f"consent {before[0]['id']}: stands, and its person left while it was away",
        "deleted": "subject: 1 times somebody left of whom no row says so any more",
        "somebody else's": f"subject {bob}: somebody else wrote that they left, or when",
    }
    assert expected[word] in named


async def test_whoever_left_without_a_key_is_erased_and_nothing_is_missed(app: App) -> None:
    mail = await mailed(app)
    ada = await app.subject(ADA)
    assert ada is not None
    away = await hide_keys(app, ada)
    assert await leave(app, mail) == 200
    await bring_keys(app, ada, away)

    assert (await erase(app))[0] == 202

    assert await sound(app) == []
