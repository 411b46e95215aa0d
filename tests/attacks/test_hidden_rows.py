"""By SQL: a row that is away while somebody leaves, and is back when mails go out.

Who leaves is told that it is final. Of what was not there nothing ended, and no event told of
the wish: the row that comes back is the newest there is.
"""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from audit.tables import audit_entry, audit_payload
from consent import tables as consents
from delivery.permits import Spending
from delivery.tables import permit
from gateway.flows.proving.verify import verify
from gateway.process.desk import Desk
from tests.support.apps import ADA, App, Mail
from tests.support.hostile import by_sql
from tests.support.stores import rows

BOB = "bob@example.org"
consent, tie = consents.consent, consents.confirmation_consent


async def queue(app: App) -> None:
    body = {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "Hello."},
    }
    assert (await app.http.post("/v1/messages", json=body, headers=await app.key())).status == 202


async def mailed(app: App) -> Mail:
    """A mail that Ada has, and can leave by."""
    await app.subscribe(BOB)
    await app.subscribe(ADA)
    await queue(app)
    (mail,) = await app.deliver()
    await queue(app)  # the next one waits
    await app.tick()
    assert (await verify(app.parts)).ok
    return mail


async def leave(app: App, mail: Mail) -> int:
    answer = await app.http.post(f"/unsubscribe/{mail.token('unsubscribe')}")
    return answer.status


async def final(app: App, answered: int) -> None:
    """Nothing goes out after a 200, or the verification says that something is wrong."""
    mails = [mail for mail in await app.deliver() if mail.to == ADA]
    await app.tick()
    assert answered != 200 or mails == [] or not (await verify(app.parts)).ok


async def test_a_consent_that_was_away_while_its_person_left_permits_nothing_quietly(
    app: App,
) -> None:
    mail = await mailed(app)
    ada = await app.subject(ADA)
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
    await final(app, answered)


async def test_a_consent_that_was_somebody_elses_while_its_person_left_permits_nothing_quietly(
    app: App,
) -> None:
    mail = await mailed(app)
    ada, bob = await app.subject(ADA), await app.subject(BOB)
    async with app.parts.data.read() as connection:
        (hers,) = [one["id"] for one in await rows(connection, consent) if one["subject"] == ada]
    await by_sql(app, f"UPDATE consent SET subject = '{bob}' WHERE id = '{hers}'")

    answered = await leave(app, mail)

    await by_sql(app, f"UPDATE consent SET subject = '{ada}' WHERE id = '{hers}'")
    await final(app, answered)


@pytest.mark.parametrize("dialect", ["sqlite"])  # where nobody need look after foreign keys
async def test_a_person_whose_row_was_away_while_they_left_is_mailed_nothing_quietly(
    app: App, dialect: str
) -> None:
    mail = await mailed(app)
    ada = await app.subject(ADA)
    await by_sql(
        app,
        f"CREATE TABLE away AS SELECT * FROM subject WHERE id = '{ada}'",
        f"DELETE FROM subject WHERE id = '{ada}'",
    )

    answered = await leave(app, mail)

    await by_sql(app, "INSERT INTO subject SELECT * FROM away", "DROP TABLE away")
    await final(app, answered)


async def test_a_consent_that_was_away_when_its_person_said_not_me_permits_nothing_quietly(
    app: App,
) -> None:
    token = await app.subscribe(ADA)
    await queue(app)
    await app.tick()
    async with app.parts.data.begin() as connection:
        theirs, ties = await rows(connection, consent), await rows(connection, tie)
        await connection.execute(delete(tie))
        await connection.execute(delete(consent))

    answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})

    async with app.parts.data.begin() as connection:
        await connection.execute(insert(consent), theirs)
        await connection.execute(insert(tie), ties)
    await final(app, answer.status)


async def test_a_handle_that_was_deleted_is_not_replaced_as_if_there_had_been_none(
    app: App,
) -> None:
    """The link of the oldest mail there is leaves, or somebody says that it does not."""
    await app.subscribe(ADA)
    await queue(app)
    (oldest,) = await app.deliver()
    key = await app.key()
    body = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    assert (await app.http.post("/v1/withdrawals", json=body, headers=key)).status == 200
    await app.tick()
    assert (await verify(app.parts)).ok

    await by_sql(app, "DELETE FROM handle")
    app.step(timedelta(days=1))
    await app.subscribe(ADA)
    await app.tick()
    answered = await leave(app, oldest)

    left = await app.permission() == "withdrawn"
    assert left or answered != 200 or not (await verify(app.parts)).ok


async def test_a_permit_that_was_away_while_its_person_left_is_not_spent_afterwards(
    app: App,
) -> None:
    """Nobody waited for it: its worker may still begin for as long as a permit lives."""
    mail = await mailed(app)
    desk = Desk(app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    async with app.parts.data.begin() as connection:
        away = [one for one in await rows(connection, permit) if one["id"] == parcel.permit]
        await connection.execute(delete(permit).where(permit.c.id == parcel.permit))

    answered = await leave(app, mail)

    async with app.parts.data.begin() as connection:
        await connection.execute(insert(permit), away)
    spending = Spending(parcel.permit, parcel.message, parcel.attempt)
    spent = await desk.spend("wrk_slow", [spending])
    await app.tick()
    assert answered != 200 or not spent or not (await verify(app.parts)).ok


async def test_a_tie_that_was_away_when_its_person_said_not_me_leaves_nothing_waiting(
    app: App,
) -> None:
    """Of two requests of one mail one is not named by the link for a moment."""
    token = await app.confirmation(ADA, "newsletter", "updates")
    await app.tick()
    async with app.parts.data.begin() as connection:
        ties = await rows(connection, tie)
        await connection.execute(delete(tie).where(tie.c.consent == ties[0]["consent"]))

    answer = await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
    assert answer.status == 200

    async with app.parts.data.begin() as connection:
        await connection.execute(insert(tie), ties[:1])
    await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})
    assert {await app.permission(ADA, one) for one in ("newsletter", "updates")} == {"rejected"}


@pytest.mark.parametrize("place", ["as it was", "set back"])
async def test_what_tells_of_a_consent_may_be_away_together_with_it(app: App, place: str) -> None:
    """Then nothing tells which consent is left: the word is about whatever there was."""
    mail = await mailed(app)
    ada = await app.subject(ADA)
    async with app.parts.data.begin() as connection:
        theirs = [one for one in await rows(connection, consent) if one["subject"] == ada]
        ids = [one["id"] for one in theirs]
        ties = [one for one in await rows(connection, tie) if one["consent"] in ids]
        told = [one for one in await rows(connection, audit_payload) if one["subject"] == ada]
        await connection.execute(delete(tie).where(tie.c.consent.in_(ids)))
        await connection.execute(delete(consent).where(consent.c.id.in_(ids)))
        await connection.execute(delete(audit_payload).where(audit_payload.c.subject == ada))
        person = consents.subject
        if place == "set back":
            none = {"trail_length": 0, "trail_last": None}
            await connection.execute(update(person).where(person.c.id == ada).values(none))

    answered = await leave(app, mail)

    async with app.parts.data.begin() as connection:
        await connection.execute(insert(consent), theirs)
        await connection.execute(insert(tie), ties)
        await connection.execute(insert(audit_payload), told)
    await final(app, answered)
    said = (await verify(app.parts)).rows
    assert f"consent {ids[0]}: stands, and its person left while it was away" in said


async def test_whoever_repeats_it_while_a_consent_is_away_tells_it_once(app: App) -> None:
    mail = await mailed(app)
    await by_sql(app, "DELETE FROM confirmation_consent", "DELETE FROM consent")

    for _ in range(3):
        assert await leave(app, mail) == 200
    await app.tick()

    async with app.parts.data.read() as connection:
        kinds = [one["kind"] for one in await rows(connection, audit_entry)]
    assert kinds.count("consent.withdrawn") == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("expires_at = decided_at", id="dated short"),
        pytest.param("purpose = 'updates'", id="for another purpose"),
        pytest.param("subject = '{bob}'", id="of somebody else"),
    ],
)
async def test_a_permit_that_was_another_while_its_person_left_is_waited_for(
    app: App, change: str
) -> None:
    mail = await mailed(app)
    desk, bob = Desk(app.parts), await app.subject(BOB)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    await by_sql(app, f"UPDATE permit SET {change.format(bob=bob)} WHERE id = '{parcel.permit}'")

    assert await leave(app, mail) == 503

    app.step(app.parts.config.delivery.permit_ttl)
    assert await leave(app, mail) == 200  # it can start nothing any more
    assert await app.permission() == "withdrawn"


@pytest.mark.parametrize("dialect", ["sqlite"])  # where nobody need look after foreign keys
@pytest.mark.parametrize("path", ["/preferences/{}", "/unsubscribe/{}"])
async def test_whose_row_is_away_is_not_told_that_they_left(
    app: App, dialect: str, path: str
) -> None:
    mail = await mailed(app)
    ada = await app.subject(ADA)
    await by_sql(app, f"DELETE FROM subject WHERE id = '{ada}'")
    route = path.split("/")[1]

    off = {"purpose.newsletter": "off"}
    answer = await app.http.post(path.format(mail.token(route)), data=off)

    assert answer.status == 503
