"""By SQL: an objection that nobody made, dated ahead, and its person asks to be forgotten.

What somebody wrote into their row must neither keep them from being erased nor lock anything.
"""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import func, select

from consent.tables import suppression
from gateway.callers.api_keys import Scope
from gateway.flows.proving.verify import verify
from gateway.watch import stuck
from tests.support.apps import ADA, App
from tests.support.calls import call
from tests.support.hostile import by_sql

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])


@pytest.mark.parametrize("planted", ["9999-12-31T23:59:59.999999Z", "9000-01-01T00:00:00.000000Z"])
async def test_a_planted_objection_neither_stops_an_erasure_nor_locks_its_evidence(
    app: App, dialect: str, planted: str
) -> None:
    await app.subscribe(ADA)
    subject = await app.subject(ADA)
    await by_sql(app, f"UPDATE subject SET objected_at = '{planted}' WHERE id = '{subject}'")

    key = await app.key(Scope.SUBJECTS_MANAGE)
    status, erasure = await call(app, key, "POST", "/v1/erasures", {"subject_id": subject})

    assert status == 202
    kept = app.parts.config.retention.evidence_after_withdrawal
    now = app.parts.clock.wall()
    assert datetime.fromisoformat(erasure["locked_until"]) <= now + kept
    # A gateway's row stands there since; that one was altered the log, doctor and status tell.
    assert (await verify(app.parts)).rows == [
        f"erasure {erasure['erasure_id']}: rows that no gateway wrote so went with the person: 1"
    ]
    async with app.parts.data.read() as connection:
        (stuck_,) = await stuck.look(connection)
    assert (stuck_.table, stuck_.reason, stuck_.rows) == ("erasure", "altered", 1)


async def test_an_objection_that_was_taken_away_is_known_from_the_log(
    app: App, dialect: str
) -> None:
    await app.subscribe(ADA)
    subject = await app.subject(ADA)
    key = await app.key(Scope.SUBJECTS_MANAGE, Scope.CONSENTS_WITHDRAW)
    said = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "phone"}
    assert (await call(app, key, "POST", "/v1/withdrawals", said))[0] == 200
    await by_sql(
        app,
        f"UPDATE subject SET objected_at = NULL WHERE id = '{subject}'",
        f"UPDATE consent SET mac = zeroblob(32) WHERE subject = '{subject}'",
        "DELETE FROM suppression",
    )

    _, erasure = await call(app, key, "POST", "/v1/erasures", {"subject_id": subject})

    assert erasure["locked_until"] is not None
    async with app.parts.data.read() as connection:
        blocked = select(func.count()).select_from(suppression)
        assert (await connection.execute(blocked)).scalar_one() == 1
