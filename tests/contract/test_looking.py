"""Looking a person up: told in their trail with its reason, before it is answered."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from audit import trail
from audit.kinds import Kind
from audit.tables import audit_payload
from consent import tables
from gateway.callers.api_keys import Scope
from gateway.flows.proving import verify
from tests.support.apps import ADA, App
from tests.support.calls import call

WHY = "Art. 15 request, case 17"


async def look(app: App, key: dict[str, str], email: str = ADA) -> tuple[int, Any]:
    return await call(app, key, "POST", "/v1/subjects/lookup", {"email": email}, access_reason=WHY)


async def told(app: App) -> list[trail.Told]:
    """The looks that the trail of the one person there is tells of, opened."""
    async with app.parts.data.read() as connection:
        (subject,) = (await connection.execute(select(tables.subject.c.id))).scalars()
        vault = await app.parts.keystore.vault([subject])
        return await trail.told(connection, [subject], [Kind.SUBJECT_ACCESSED], vault)


async def looks(app: App) -> int:
    await app.tick()
    async with app.parts.data.read() as connection:
        return len(await app.parts.log.events(connection, kind=Kind.SUBJECT_ACCESSED))


async def test_a_person_is_shown_with_their_consents_and_the_look_is_sealed_in_their_trail(
    app: App,
) -> None:
    key = await app.key(Scope.SUBJECTS_READ)
    await app.subscribe()

    status, seen = await look(app, key, ADA.upper())

    (consent,) = seen.pop("consents")
    async with app.parts.data.read() as connection:
        row = (await connection.execute(select(tables.consent))).one()
        sealed = (await connection.execute(select(audit_payload))).all()
    assert (status, seen) == (200, {"subject_id": row.subject, "state": "live"})
    assert (consent["consent_id"], consent["text"]) == (row.id, row.text_hash)
    assert (consent["purpose"], consent["state"]) == ("newsletter", "confirmed")
    assert consent["requested_at"] <= consent["decided_at"]
    assert consent["ends_at"] is None
    (event,) = await told(app)
    assert event.facts["why"] == WHY
    assert event.facts["caller"] in event.entry.refs.values()
    assert WHY.encode() not in repr(sealed).encode()
    assert await looks(app) == 1
    assert (await verify.verify(app.parts)).ok


async def test_who_is_unknown_or_erased_is_not_found_and_the_look_is_told(app: App) -> None:
    key = await app.key(Scope.SUBJECTS_READ, Scope.SUBJECTS_MANAGE)
    unknown = await look(app, key)
    await app.subscribe()
    erased, _ = await call(app, key, "POST", "/v1/erasures", {"email": ADA})

    gone = await look(app, key)

    assert (unknown[0], erased) == (404, 202)
    assert unknown[1]["detail"] == "There is no person known by this address."
    assert gone == unknown
    assert await looks(app) == 2
    assert (await verify.verify(app.parts)).ok
