"""A caller says that something came in the year 26: a slip is refused, and what stands is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from audit.kinds import Actor
from gateway.callers.api_keys import Scope
from gateway.flows.proving.verify import verify
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from tests.support.apps import ADA, App
from tests.support.calls import call

LONG_AGO = "0026-11-20T09:00:00Z"


async def test_a_date_of_long_ago_is_refused_where_it_is_said(app: App) -> None:
    await app.subscribe(ADA)
    key = await app.key()
    rights = {"email": ADA, "received_at": LONG_AGO}
    left = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    mail = {"to": {"email": ADA}, "purpose": "newsletter", "content": {"subject": "s", "text": "t"}}
    said: dict[str, dict[str, Any]] = {
        "/v1/rights-requests": rights | {"kind": "access"},
        "/v1/erasures": rights,
        "/v1/withdrawals": left | {"received_at": LONG_AGO},
        "/v1/messages": mail | {"expires_at": LONG_AGO},
    }
    for path, body in said.items():
        status, problem = await call(app, key, "POST", path, body)
        field = next(name for name, value in body.items() if value == LONG_AGO)
        assert (status, problem["errors"][0]["pointer"]) == (422, f"/{field}")
        assert "1970" in json.dumps(problem["errors"])


async def test_an_erasure_that_was_asked_for_long_ago_by_its_row_is_carried_out(app: App) -> None:
    await app.subscribe(ADA)
    subject = await app.subject(ADA)
    erasures = Erasures(Erasing(app.parts))
    asked = Request(
        Question("", subject=subject), Actor.SYSTEM, "letter", datetime(26, 11, 20, 9, tzinfo=UTC)
    )
    done = await erasures.erase(asked)

    assert done is not None
    key = await app.key(Scope.SUBJECTS_MANAGE)
    status, shown = await call(app, key, "GET", f"/v1/erasures/{done.id}")
    assert (status, shown["state"]) == (200, "done")
    assert datetime.fromisoformat(shown["received_at"]).year == 26
    assert (await verify(app.parts)).rows == []
