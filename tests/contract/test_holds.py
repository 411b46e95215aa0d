"""A hold keeps what proves somebody's consents: they are restricted at once, and erased later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from audit.tables import audit_payload
from consent.keys.vault import OF_PEOPLE
from consent.tables import hold, subject
from gateway.callers.api_keys import Scope
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.holds import Holds
from tests.contract.test_takings_away import doubts, told
from tests.promises.test_erased_is_erased import NOTHING_KEPT, keys_of, rows_naming, run_rules
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call, queue
from tests.support.clock import SteppedClock
from tests.support.databases import Databases

DAY = timedelta(days=1)


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    clock = SteppedClock()
    async with open_app(
        tmp_path, new_database_url, dialect, clock=clock, more=NOTHING_KEPT
    ) as opened:
        await opened.subscribe()
        yield opened


async def ada(app: App) -> str:
    found = await app.subject()
    assert found is not None
    return found


async def place(app: App, whom: str, until: timedelta = 10 * DAY) -> str:
    key = await app.key(Scope.SUBJECTS_MANAGE)
    moment = (app.parts.clock.wall() + until).isoformat()
    said = {"subject_id": whom, "reason": "file number 17", "until": moment}
    status, body = await call(app, key, "POST", "/v1/holds", said)
    assert status == 201, body
    return str(body["hold_id"])


async def erase(app: App, whom: str) -> dict[str, Any]:
    key = await app.key(Scope.SUBJECTS_MANAGE)
    status, body = await call(app, key, "POST", "/v1/erasures", {"subject_id": whom})
    assert status == 202
    return dict(body)


async def shown(app: App, erasure: str) -> dict[str, Any]:
    key = await app.key(Scope.SUBJECTS_MANAGE)
    return dict((await call(app, key, "GET", f"/v1/erasures/{erasure}"))[1])


async def lift(app: App, name: str) -> int:
    key = await app.key(Scope.SUBJECTS_MANAGE)
    return (await call(app, key, "DELETE", f"/v1/holds/{name}"))[0]


async def duty(app: App) -> None:
    await Holds(Erasing(app.parts)).work_off()


async def test_an_erasure_under_a_hold_restricts_at_once_and_comes_when_it_is_lifted(
    app: App,
) -> None:
    whom = await ada(app)
    name = await place(app, whom)
    await queue(app, text="Hello.")

    begun = await erase(app, whom)

    assert begun["state"] == "held"
    assert await app.permission() == "restricted"
    assert await app.deliver() == []
    assert sorted(await told(app)) == [
        ("consent.withdrawn", "newsletter"),
        ("subject.erasure_held", None),
    ]
    assert (await erase(app, whom))["erasure_id"] == begun["erasure_id"]
    await duty(app)
    await run_rules(app)  # it waits, and was not put back by somebody
    assert (await shown(app, begun["erasure_id"]))["state"] == "held"
    assert await keys_of(app, whom) == set(OF_PEOPLE)
    assert await doubts(app) == []

    assert await lift(app, name) == 204
    assert await lift(app, name) == 404
    await duty(app)

    done = await shown(app, begun["erasure_id"])
    assert (done["state"], done["asked_at"]) == ("done", begun["asked_at"])
    assert done["certificate"]["keys_destroyed"] == ["evidence", "profile"]
    assert await rows_naming(app, whom) == {"change", "erasure", "erasure_ledger"}
    assert await doubts(app) == []


async def test_a_hold_ends_by_its_date_and_keeps_proof_from_retention_until_then(app: App) -> None:
    whom = await ada(app)
    await place(app, whom, 40 * DAY)
    body = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    assert (await call(app, await app.key(), "POST", "/v1/withdrawals", body))[0] == 200
    app.step(39 * DAY)
    await run_rules(app)  # nothing is kept after a withdrawal, but for the hold
    assert await keys_of(app, whom) == set(OF_PEOPLE)
    held = await erase(app, whom)
    assert held["state"] == "held"
    app.step(2 * DAY)
    assert (await erase(app, whom))["state"] == "done"  # the date counts before the duty does
    assert await doubts(app) == []

    app.step(timedelta(minutes=1))  # what is received up to the erasure is let go of with it
    await app.subscribe()
    again = await ada(app)
    await place(app, again, DAY)
    app.step(2 * DAY)
    await duty(app)

    async with app.parts.data.read() as connection:
        assert (await connection.execute(select(hold))).all() == []
    assert await doubts(app) == []
    assert (await erase(app, again))["state"] == "done"


async def test_what_is_no_hold_is_refused(app: App) -> None:
    key = await app.key(Scope.SUBJECTS_MANAGE)
    until = (app.parts.clock.wall() + DAY).isoformat()
    nobody = {"subject_id": "sub_nobody", "reason": "a dispute", "until": until}
    assert (await call(app, key, "POST", "/v1/holds", nobody))[0] == 404
    over = nobody | {"until": (app.parts.clock.wall() - DAY).isoformat()}
    assert (await call(app, key, "POST", "/v1/holds", over))[0] == 422
    other = await app.key(Scope.PERMISSIONS_READ)
    assert (await call(app, other, "POST", "/v1/holds", nobody))[0] == 403


async def test_a_planted_hold_keeps_nobody_from_being_erased(app: App) -> None:
    """Nor does one that ended, put back whole; a verification names both."""
    whom = await ada(app)
    name = await place(app, whom)
    async with app.parts.data.begin() as connection:
        row = (await connection.execute(select(hold))).one()._asdict()
    assert await lift(app, name) == 204
    planted = row | {"id": "hol_planted", "until": row["until"] + 9999 * DAY}
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(hold), [row, planted])
    found = await doubts(app)
    assert any(f"hold {name}: an old row was put back" in one for one in found)
    assert any("hold hol_planted" in one for one in found)

    assert (await erase(app, whom))["state"] == "done"


@pytest.mark.parametrize("gone", ["its row", "its facts", "its date"])
async def test_a_hold_that_somebody_deleted_lets_no_proof_be_destroyed(app: App, gone: str) -> None:
    whom = await ada(app)
    name = await place(app, whom)
    async with app.parts.data.begin() as connection:
        row = (await connection.execute(select(hold))).one()
        if gone == "its row":
            await connection.execute(delete(hold))
        elif gone == "its facts":
            await connection.execute(delete(audit_payload).where(audit_payload.c.eid == row.eid))
        else:
            await connection.execute(update(hold).values(until=row.until - 30 * DAY))
    await duty(app)

    begun = await erase(app, whom)
    await duty(app)

    assert (await shown(app, begun["erasure_id"]))["state"] == "held"
    assert await keys_of(app, whom) == set(OF_PEOPLE)
    found = await doubts(app)
    assert any(name in one or "trail" in one for one in found), found


async def test_a_restriction_that_is_taken_away_again_is_named(app: App) -> None:
    whom = await ada(app)
    async with app.parts.data.begin() as connection:
        before = (await connection.execute(select(subject))).one()._asdict()
    await place(app, whom)
    await erase(app, whom)
    stated = ("restricted_at", "kid", "mac")
    async with app.parts.data.begin() as connection:
        await connection.execute(update(subject).values({one: before[one] for one in stated}))

    assert any("tells of a restriction" in one for one in await doubts(app))
