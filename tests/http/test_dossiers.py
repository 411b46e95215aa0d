"""Everything held about a person, for whoever answers for the data."""

from __future__ import annotations

import json

from audit import trail
from audit.kinds import Kind
from gateway.callers.api_keys import Scope
from tests.support.apps import ADA, App
from tests.support.calls import call, queue

WHY = "Art. 15 request, case 17"


def path(subject: str | None) -> str:
    return f"/v1/subjects/{subject}/dossier"


async def looks(app: App) -> list[str]:
    subject = await app.subject()
    vault = await app.parts.keystore.vault([subject])
    async with app.parts.data.snapshot() as connection:
        told = await trail.told(connection, [subject], [Kind.SUBJECT_ACCESSED], vault)
    return [one.facts["why"] for one in told]


async def test_a_dossier_is_for_who_may_look_and_says_why_and_is_told_of_them(app: App) -> None:
    await app.subscribe()
    await queue(app, text="Hello.")
    await app.deliver()
    key = await app.key(Scope.SUBJECTS_READ)

    async with app.http.get(
        path(await app.subject()), headers=key | {"Access-Reason": WHY}
    ) as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        held = json.loads(await answer.read())

    assert held["format"] == "consent-gateway/dossier/1"
    assert (held["email"], len(held["messages"])) == (ADA, 2)
    assert await looks(app) == [WHY]

    theirs, stranger = path(await app.subject()), path("sub_" + "0" * 26)
    bound = await app.key(Scope.SUBJECTS_READ, purposes=["newsletter"])
    other = await app.key(Scope.SUBJECTS_MANAGE)

    assert (await call(app, key, "GET", theirs))[0] == 422
    assert (await call(app, bound, "GET", theirs, access_reason=WHY))[0] == 403
    assert (await call(app, other, "GET", theirs, access_reason=WHY))[0] == 403
    assert (await call(app, key, "GET", stranger, access_reason=WHY))[0] == 404

    assert await looks(app) == [WHY]
    await app.tick()
    async with app.parts.data.read() as connection:
        told = await app.parts.log.events(connection, kind=Kind.SUBJECT_ACCESSED)
    assert len(told) == 2, "who asked for somebody who is not here is told, of nobody"
