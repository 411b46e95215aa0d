"""By SQL: rows put back around a restriction or an objection that its person lifts.

Lifting signs a row that permits again. Whoever lifts asks the log first, so that an old
row is not signed, and no consent counts again that had ended.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from audit.kinds import Actor
from audit.tables import audit_payload, audit_pending
from consent import tables as consents
from consent.erasures import Stage
from delivery.tables import permit
from gateway.flows.proving.verify import verify
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from gateway.process.desk import Desk
from storage.errors import StorageAway
from tests.attacks.test_hidden_rows import queue
from tests.attacks.test_keys_away import bring_keys, hide_keys
from tests.attacks.test_laundered_rows import kept, put_back
from tests.http.test_people_rights import hold, object_by_letter
from tests.support.apps import ADA, App
from tests.support.stops import stops_of
from tests.support.stores import rows

subject = consents.subject
_STOPS = ("restricted_at", "objected_at", "asking_blocked_at", "kid", "mac")


async def ada(app: App) -> str:
    found = await app.subject(ADA)
    assert found is not None
    return found


async def stops(app: App) -> dict[str, Any]:
    """What of her row says what is stopped, with its MAC: the trail is left as it is."""
    async with app.parts.data.begin() as connection:
        (row,) = await rows(connection, subject)
    return {name: row[name] for name in _STOPS}


async def put(app: App, values: dict[str, Any]) -> None:
    async with app.parts.data.begin() as connection:
        await connection.execute(update(subject).values(values))


async def named(app: App) -> list[str]:
    await app.tick()
    return list((await verify(app.parts)).rows)


async def test_a_row_from_before_an_objection_is_not_signed_by_who_lifts_a_restriction(
    app: App,
) -> None:
    await app.subscribe(ADA, "newsletter", "updates")
    one = await ada(app)
    await stops_of(app.parts).restrict(one)
    before = await stops(app)
    await object_by_letter(app, "newsletter")

    await put(app, before)
    with pytest.raises(StorageAway):
        await stops_of(app.parts).lift_restriction(one)

    assert await app.permission(ADA, "updates") == "restricted"
    assert any("tells of an objection" in doubt for doubt in await named(app))


async def test_a_consent_put_back_under_an_objection_does_not_count_again(app: App) -> None:
    await app.subscribe()
    confirmed = await kept(app)
    one = await ada(app)
    await object_by_letter(app, "newsletter")

    await put_back(app, confirmed)
    with pytest.raises(StorageAway):
        await stops_of(app.parts).lift_objection(one, ["newsletter"])

    assert await app.permission() == "objected"


@pytest.mark.parametrize(
    "values", [{"restricted_at": None}, {"objected_at": None}, {"asking_blocked_at": None}]
)
async def test_a_stop_that_was_taken_away_by_hand_lets_nothing_be_lifted(
    app: App, values: dict[str, None]
) -> None:
    await app.subscribe(ADA, "newsletter", "updates")
    one = await ada(app)
    await object_by_letter(app, "newsletter")
    await stops_of(app.parts).restrict(one)
    await put(app, values)

    lifting = stops_of(app.parts)
    with pytest.raises(StorageAway):
        if "restricted_at" in values:
            await lifting.lift_objection(one, [])
        else:
            await lifting.lift_restriction(one)

    assert await app.permission(ADA, "updates") != "granted"
    assert await named(app) != []


async def test_a_stop_put_back_after_it_was_lifted_is_named(app: App) -> None:
    await app.subscribe()
    one = await ada(app)
    await stops_of(app.parts).restrict(one)
    stopped = await stops(app)
    assert await stops_of(app.parts).lift_restriction(one)
    assert await named(app) == []

    await put(app, stopped)

    assert await app.permission() == "restricted"
    assert any("the lifting of a restriction" in doubt for doubt in await named(app))


async def test_nobody_is_told_of_a_restriction_while_a_permit_of_theirs_is_hidden(
    app: App,
) -> None:
    await app.subscribe()
    one = await ada(app)
    await queue(app)
    desk = Desk(app.parts)
    await desk.register("wrk_slow")
    (parcel,) = await desk.claim("wrk_slow", 1)
    async with app.parts.data.begin() as connection:
        away = [row for row in await rows(connection, permit) if row["id"] == parcel.permit]
        await connection.execute(delete(permit).where(permit.c.id == parcel.permit))

    with pytest.raises(StorageAway):
        await stops_of(app.parts).restrict(one)

    assert await app.permission() == "restricted"  # it stands all the same
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(permit), away)
    app.step(timedelta(seconds=2))  # till then it is waited for
    await stops_of(app.parts).restrict(one)


async def test_who_has_no_key_restricts_all_the_same_and_lifts_it_once_it_is_back(
    app: App,
) -> None:
    await app.subscribe()
    one = await ada(app)
    away = await hide_keys(app, one)

    await stops_of(app.parts).restrict(one)

    assert await app.permission() == "restricted"
    with pytest.raises(StorageAway):
        await stops_of(app.parts).lift_restriction(one)
    await bring_keys(app, one, away)
    assert await stops_of(app.parts).lift_restriction(one)
    assert await app.permission() == "granted"
    assert await named(app) == []


async def test_who_waits_for_a_hold_lifts_nothing_though_the_row_of_the_erasure_is_away(
    app: App,
) -> None:
    await app.subscribe(ADA, "newsletter", "updates")
    one = await ada(app)
    await object_by_letter(app, "newsletter")
    await hold(app)
    asked = Request(Question("", subject=one), Actor.SUBJECT, "my-data")
    begun = await Erasures(Erasing(app.parts)).erase(asked)
    assert begun is not None
    assert begun.state is Stage.HELD
    lifting = stops_of(app.parts)
    assert not await lifting.lift_restriction(one)
    assert not await lifting.lift_objection(one, [])

    async with app.parts.data.begin() as connection:
        await connection.execute(delete(consents.erasure))
    with pytest.raises(StorageAway):
        await lifting.lift_restriction(one)
    with pytest.raises(StorageAway):
        await lifting.lift_objection(one, [])

    assert await app.permission(ADA, "updates") in ("restricted", "objected")


async def test_a_restriction_answered_while_a_row_of_before_stood_is_not_lost_unseen(
    app: App,
) -> None:
    """The stop that she lifted is put back for the moment of her answer, and taken away again."""
    await app.subscribe()
    one = await ada(app)
    lifting = stops_of(app.parts)
    await lifting.restrict(one)
    stopped = await stops(app)
    assert await lifting.lift_restriction(one)
    free = await stops(app)
    app.step(timedelta(seconds=1))

    await put(app, stopped)
    await lifting.restrict(one)
    assert await named(app) == []

    await put(app, free)
    assert any("tells of a restriction" in doubt for doubt in await named(app))


async def test_who_objects_again_while_a_row_of_before_stands_has_objected(app: App) -> None:
    await app.subscribe(ADA, "newsletter", "updates")
    one = await ada(app)
    await object_by_letter(app, "newsletter")
    stopped = await stops(app)
    assert await stops_of(app.parts).lift_objection(one, ["updates"])
    free = await stops(app)
    app.step(timedelta(seconds=1))

    await put(app, stopped)
    await object_by_letter(app, "newsletter")

    await put(app, free)
    assert any("tells of an objection" in doubt for doubt in await named(app))
    async with app.parts.data.begin() as connection:
        assert await rows(connection, consents.suppression) != []  # nor is she asked


async def _row(app: App) -> dict[str, Any]:
    async with app.parts.data.read() as connection:
        (row,) = await rows(connection, subject)
    return row


async def _without_last(app: App) -> list[dict[str, Any]]:
    """Take out the facts of the event that was told last; they are returned."""
    async with app.parts.data.begin() as connection:
        last = max(await rows(connection, audit_pending), key=lambda row: row["n"])["eid"]
        facts = [row for row in await rows(connection, audit_payload) if row["eid"] == last]
        await connection.execute(delete(audit_payload).where(audit_payload.c.eid == last))
    return facts


@pytest.mark.parametrize("stop", ["restriction", "objection"])
async def test_a_stop_answered_while_its_lifting_was_away_is_not_lost_unseen(
    app: App, stop: str
) -> None:
    """The row from before the lifting is put back whole, and what the log tells of that is away."""
    await app.subscribe(ADA, "newsletter", "updates")
    one, lifting = await ada(app), stops_of(app.parts)

    async def say() -> None:
        if stop == "restriction":
            await lifting.restrict(one)
        else:
            await object_by_letter(app, "newsletter")

    await say()
    stopped = await _row(app)
    await app.tick()
    if stop == "restriction":
        assert await lifting.lift_restriction(one)
    else:
        assert await lifting.lift_objection(one, ["updates"])
    free = await _row(app)
    lifted = await _without_last(app)
    await put(app, stopped)
    app.step(timedelta(minutes=1, seconds=1))

    await say()

    await put(app, free)
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(audit_payload), lifted)
    assert await app.permission(ADA, "updates") != "granted" or await named(app) != []
