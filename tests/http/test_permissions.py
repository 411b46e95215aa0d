"""Asking for a permission sends nothing, and says why."""

from __future__ import annotations

from gateway.callers.api_keys import Scope
from tests.support.apps import ADA, App
from tests.support.calls import TO, call, pointers


async def test_a_permission_is_told_with_its_ground_or_its_reason(app: App) -> None:
    key = await app.key(Scope.PERMISSIONS_READ)
    question = {"to": TO, "purpose": "newsletter"}

    before = await call(app, key, "POST", "/v1/permissions", question)
    await app.subscribe()
    after = await call(app, key, "POST", "/v1/permissions", question)
    upper = await call(
        app, key, "POST", "/v1/permissions", question | {"to": {"email": ADA.upper()}}
    )

    assert before == (200, {"granted": False, "reason": "unknown", "class": "ask_first"})
    assert after[1]["granted"]
    assert after[1]["ground"]["kind"] == "consent"
    assert upper == after
    assert await pointers(app, key, "/v1/permissions", {"to": TO}) == ["/purpose"]
