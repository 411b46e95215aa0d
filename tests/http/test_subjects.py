"""Looking a person up by HTTP: who may, and that they say why."""

from __future__ import annotations

from typing import Any

import pytest

from audit.kinds import Kind
from gateway.callers.api_keys import Scope
from tests.support.apps import ADA, App
from tests.support.calls import call

WHY = "Art. 15 request, case 17"
PATH = "/v1/subjects/lookup"


async def look(app: App, key: dict[str, str], **headers: str) -> tuple[int, Any]:
    return await call(app, key, "POST", PATH, {"email": ADA}, **headers)


async def looks(app: App) -> int:
    await app.tick()
    async with app.parts.data.read() as connection:
        return len(await app.parts.log.events(connection, kind=Kind.SUBJECT_ACCESSED))


@pytest.mark.parametrize("reason", [None, " ", "x" * 201], ids=["none", "empty", "long"])
async def test_without_a_reason_nobody_is_looked_up(app: App, reason: str | None) -> None:
    key = await app.key(Scope.SUBJECTS_READ)
    headers = {} if reason is None else {"access_reason": reason}

    status, problem = await look(app, key, **headers)

    assert (status, problem["type"]) == (422, "/problems/invalid")
    assert problem["errors"][0]["pointer"] == "/Access-Reason"
    assert "Access-Reason" in problem["errors"][0]["detail"]
    assert await looks(app) == 0


async def test_a_key_needs_the_scope_and_is_bound_to_nothing(app: App) -> None:
    others = [scope for scope in Scope if scope is not Scope.SUBJECTS_READ]
    bound = await app.key(Scope.SUBJECTS_READ, purposes=["newsletter"])

    without = await look(app, await app.key(*others), access_reason=WHY)
    outside = await look(app, bound, access_reason=WHY)

    assert (without[0], without[1]["scope"]) == (403, "subjects:read")
    assert (outside[0], outside[1]["type"]) == (403, "/problems/outside-key")
    assert await looks(app) == 0
