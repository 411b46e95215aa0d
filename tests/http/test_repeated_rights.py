"""What is asked for by right is done once under one Idempotency-Key, and names who asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from audit.tables import audit_entry
from audit.trail import parsed
from gateway.callers.api_keys import Scope
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call
from tests.support.databases import Databases
from tests.support.stores import dump


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        await opened.subscribe()
        yield opened


async def named(app: App, *kinds: str) -> set[str | None]:
    """Which API keys the events of these kinds name."""
    await app.tick()
    async with app.parts.data.read() as connection:
        query = select(audit_entry.c.entry).where(audit_entry.c.kind.in_(kinds))
        rows = (await connection.execute(query)).scalars().all()
    entries = [parsed(one) for one in rows]
    assert {one.kind for one in entries if one is not None} == set(kinds)
    return {one.refs.get("api_key") for one in entries if one is not None}


async def test_a_repeated_request_hold_or_erasure_is_answered_as_before(app: App) -> None:
    subject, key = await app.subject(), await app.key(Scope.SUBJECTS_MANAGE)
    until = (app.parts.clock.wall() + timedelta(days=30)).isoformat()
    hold = {"subject_id": subject, "reason": "file 17", "until": until}
    request = {"email": ADA, "kind": "access"}
    once = {"Idempotency_Key": "one"}

    for path, body, code in (
        ("/v1/rights-requests", request, 201),
        ("/v1/holds", hold, 201),
        ("/v1/erasures", {"email": ADA}, 202),
    ):
        first = await call(app, key, "POST", path, body, **once)
        again = await call(app, key, "POST", path, dict(reversed(body.items())), **once)
        assert first[0] == code
        assert again == first
        other = body | {"channel": "phone"} if path != "/v1/holds" else body | {"reason": "18"}
        assert (await call(app, key, "POST", path, other, **once))[0] == 422
        assert (await call(app, await app.key(), "POST", path, body))[0] == code

    assert len((await dump(app.parts.data, ["rights_request"]))["rights_request"]) == 2
    holds = (await dump(app.parts.data, ["hold"]))["hold"]
    for one in holds:
        assert (await call(app, key, "DELETE", f"/v1/holds/{one['id']}"))[0] == 204
    erased = await call(app, key, "POST", "/v1/erasures", {"email": ADA}, Idempotency_Key="two")
    assert erased[0] == 202
    await app.tick()
    # By the address nobody is found any more; by the key of the call the answer is.
    assert (await call(app, key, "POST", "/v1/erasures", {"email": ADA}))[0] == 404
    again = await call(app, key, "POST", "/v1/erasures", {"email": ADA}, Idempotency_Key="two")
    assert (again[0], again[1]["erasure_id"]) == (202, erased[1]["erasure_id"])
    kinds = ("rights.requested", "hold.placed", "hold.lifted", "subject.erasure_held")
    assert None not in await named(app, *kinds, "subject.erasure_started")


async def test_what_found_nobody_is_not_remembered(app: App) -> None:
    key, body = await app.key(Scope.SUBJECTS_MANAGE), {"email": "new@example.org"}
    once = {"Idempotency_Key": "one"}
    assert (await call(app, key, "POST", "/v1/erasures", body, **once))[0] == 404

    app.step(timedelta(hours=1))
    await app.subscribe("new@example.org")

    assert (await call(app, key, "POST", "/v1/erasures", body, **once))[0] == 202
