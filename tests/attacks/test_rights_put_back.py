"""By SQL: a rights request is put back as it waited, or deleted; its person is kept or forgotten.

Who waits for an answer is not forgotten by the rules on keeping. The log says who waits: what a row
says somebody may have kept from before.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select

from audit.tables import audit_payload, audit_pending
from consent.tables import rights_request
from tests.promises.test_erased_is_erased import erase, rows_naming, run_rules, sound
from tests.support.apps import ADA, App
from tests.support.calls import call
from tests.support.stores import Rows, rows

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])

LONG = timedelta(days=100)


async def asked(app: App) -> tuple[str, Rows]:
    """She asked for access; the request, and its row as it waits."""
    body = {"email": ADA, "kind": "access"}
    _, recorded = await call(app, await app.key(), "POST", "/v1/rights-requests", body)
    async with app.parts.data.read() as connection:
        return recorded["request_id"], await rows(connection, rights_request)


async def answered_and_put_back(app: App) -> str:
    request, old = await asked(app)
    path = f"/v1/rights-requests/{request}/answer"
    status, _ = await call(app, await app.key(), "POST", path, {"reason": "A copy was sent."})
    assert status == 200
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(rights_request))
        await connection.execute(insert(rights_request), old)
    return request


async def test_a_request_put_back_keeps_nobody_from_being_forgotten(app: App, dialect: str) -> None:
    await app.confirmation()
    subject = await app.subject()
    assert subject is not None
    request = await answered_and_put_back(app)

    app.step(LONG)
    await run_rules(app)

    assert await rows_naming(app, subject) == {"rights_request", "erasure_ledger"}
    assert [one for one in await sound(app) if request in one] == [
        f"rights_request {request}: an old row was put back: the log tells otherwise"
    ]


async def test_a_request_whose_row_is_away_is_waited_for_all_the_same(
    app: App, dialect: str
) -> None:
    await app.confirmation()
    subject = await app.subject()
    await asked(app)
    async with app.parts.data.begin() as connection:
        await connection.execute(delete(rights_request))

    app.step(LONG)
    await run_rules(app)

    assert await app.subject() == subject


async def test_a_request_put_back_is_not_decided_anew_though_its_decision_is_deleted(
    app: App, dialect: str
) -> None:
    await app.subscribe()
    request = await answered_and_put_back(app)
    async with app.parts.data.begin() as connection:
        last = select(func.max(audit_pending.c.n)).scalar_subquery()
        eid = select(audit_pending.c.eid).where(audit_pending.c.n == last).scalar_subquery()
        await connection.execute(delete(audit_payload).where(audit_payload.c.eid == eid))

    path = f"/v1/rights-requests/{request}/refuse"
    status, _ = await call(app, await app.key(), "POST", path, {"reason": "Nobody asked."})

    assert status == 503


async def test_an_erasure_does_not_decide_anew_what_was_put_back(app: App, dialect: str) -> None:
    await app.subscribe()
    request = await answered_and_put_back(app)

    assert (await erase(app))[0] == 202

    assert [one for one in await sound(app) if request in one] == [
        f"rights_request {request}: an old row was put back: the log tells otherwise"
    ]
