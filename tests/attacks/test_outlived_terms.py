"""No attacker is needed: facts of a person who stays, longer than what they are about is kept."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

from datetime import timedelta
from typing import Any

from audit import trail
from gateway.flows.keeping.retention import RetentionRules
from gateway.flows.proving.verify import verify
from tests.support.apps import ADA, App
from tests.support.hostile import by_sql

DAY = timedelta(days=1)
YEAR = 365 * DAY


async def later(app: App, by: timedelta) -> None:
    app.step(by)
    await app.tick()
    for rule in RetentionRules(app.parts).rules().values():
        while await rule():
            pass
    await app.tick()


async def told(app: App) -> list[dict[str, Any]]:
    """Everything that the log still says of her, with the kind of each event."""
    subject = await app.subject(ADA)
    assert subject is not None
    vault = await app.parts.keystore.vault([subject])
    async with app.parts.data.read() as connection:
        events = await trail.trail(connection, subject, vault)
    return [
        {"kind": event.entry.kind.value, **part.facts}
        for event in events
        for part in event.disclosures
        if part.facts is not None
    ]


async def withdraw(app: App, purpose: str) -> None:
    body = {"to": {"email": ADA}, "purpose": purpose, "kind": "withdraw", "channel": "phone"}
    answer = await app.http.post("/v1/withdrawals", json=body, headers=await app.key())
    assert answer.status == 200


async def test_what_a_server_said_to_a_mail_goes_with_the_last_consent_it_asked_for(
    app: App,
) -> None:
    """One mail asked for two, which end on different days, while a third one stands."""
    token = await app.confirmation(ADA, "newsletter", "updates")
    answer = {"answer": "confirm", "purpose": "newsletter"}  # the other one is left out
    assert (await app.http.post(f"/confirm/{token}", data=answer)).status == 200
    await app.tick()
    (first,) = [one for one in await told(app) if one["kind"] == "consent.mail_sent"]
    app.step(DAY)
    await withdraw(app, "newsletter")
    app.step(DAY)
    await app.subscribe(ADA, "newsletter")
    await later(app, 31 * DAY)  # what was left out is over
    assert await app.permission() == "granted"

    await later(app, 3 * YEAR)  # and the one that was withdrawn

    left = await told(app)
    asked = {name for one in left for name in one.get("consents", ())}
    asked |= {one["consent"] for one in left if "consent" in one}
    assert first["message"] not in [one.get("message") for one in left]
    assert not asked & set(first["consents"])
    assert (await verify(app.parts)).ok


async def test_what_proves_a_consent_stays_although_its_row_is_away_meanwhile(app: App) -> None:
    """Whoever writes rows must not have our own rule delete a proof that is owed."""
    token = await app.confirmation(ADA, "newsletter", "updates")
    assert (await app.http.post(f"/confirm/{token}", data={"answer": "confirm"})).status == 200
    await app.tick()
    (mail,) = [one for one in await told(app) if one["kind"] == "consent.mail_sent"]
    await withdraw(app, "newsletter")
    app.step(DAY)
    await app.subscribe(ADA, "newsletter")
    await app.subscribe("bob@example.org")
    theirs, bob = await app.subject(ADA), await app.subject("bob@example.org")

    await by_sql(app, f"UPDATE consent SET subject = '{bob}' WHERE purpose = 'updates'")
    await later(app, 3 * YEAR + DAY)
    await by_sql(app, f"UPDATE consent SET subject = '{theirs}' WHERE purpose = 'updates'")

    left = await told(app)
    assert mail["message"] in [one.get("message") for one in left]
    # Nothing ends of somebody of whom a consent is away, until somebody looked.
    assert len([one for one in left if one["kind"] == "consent.requested"]) == 3
