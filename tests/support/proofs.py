"""A consent with everything that can prove it, and its evidence as callers get it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from consent.tables import consent
from delivery.desk import Ended
from delivery.outcome import Ending, Phase, Reply
from delivery.permits import Spending
from delivery.transmission import Peer, Secured
from gateway.callers.api_keys import Scope
from gateway.process.desk import Desk
from tests.support.apps import ADA, App, Mail

WHY = "letter of a lawyer, case 2026-17"
SERVER = Peer(
    "mx.relay.example",
    25,
    Secured("TLSv1.3", "TLS_AES_256_GCM_SHA384", "mx.relay.example", "ab" * 32),
)
REPLY = Reply(250, "2.0.0", "2.0.0 Ok: queued as 4bXk2d0Qz3z9vNs")


async def hand_over(app: App, peer: Peer | None = SERVER, reply: Reply = REPLY) -> list[Mail]:
    """As `App.deliver`, to a server that says who it is and how it was spoken to."""
    await app.tick()
    desk, mails = Desk(app.parts), []
    await desk.register("wrk_proof")
    while parcels := await desk.claim("wrk_proof", 100):
        ended = []
        for parcel in parcels:
            composed = await desk.compose(parcel)
            assert composed is not None
            spending = Spending(parcel.permit, parcel.message, parcel.attempt)
            assert await desk.spend("wrk_proof", [spending]) == {parcel.permit}
            taken = Ending(Phase.REPLIED, reply)
            one = Ended(parcel, taken, composed.digest, kept=composed.kept)
            ended.append(replace(one, peer=peer))
            mails.append(Mail(composed.envelope.rcpt_to, composed.envelope.data))
        await desk.settle("wrk_proof", ended)
    return mails


async def proven(app: App, email: str = ADA, **more: Any) -> tuple[str, Mail]:
    """Sign up, be asked, confirm; the consent, and the mail that asked."""
    answer = await app.http.post("/forms/signup", json=await app.posted(email, **more))
    assert answer.status == 202
    (mail,) = [one for one in await hand_over(app) if one.to == email]
    said = {"answer": "confirm"}
    async with app.http.post(f"/confirm/{mail.token('confirm')}", data=said) as page:
        assert page.status == 200
    await app.tick()
    return await consent_of(app, email), mail


async def consent_of(app: App, email: str = ADA) -> str:
    subject = await app.subject(email)
    async with app.parts.data.read() as connection:
        query = select(consent.c.id).where(consent.c.subject == subject)
        return str((await connection.execute(query)).scalars().one())


async def evidence(
    app: App,
    name: str,
    query: str = "",
    key: dict[str, str] | None = None,
    why: str | None = WHY,
) -> tuple[int, str, bytes]:
    """What a caller gets: status, type, body."""
    key = key or await app.key(Scope.SUBJECTS_READ)
    headers = key | ({} if why is None else {"Access-Reason": why})
    async with app.http.get(f"/v1/consents/{name}/evidence{query}", headers=headers) as answer:
        return answer.status, answer.content_type, await answer.read()
