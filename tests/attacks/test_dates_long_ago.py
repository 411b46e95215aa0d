"""A caller says that a request came in the year 26, as who types it may: the row can be read."""

from __future__ import annotations

from gateway.callers.api_keys import Scope
from gateway.flows.proving.verify import verify
from tests.support.apps import ADA, App
from tests.support.calls import call

LONG_AGO = "0026-11-20T09:00:00Z"


async def test_what_came_long_ago_by_its_date_can_be_shown_and_is_no_stranger(app: App) -> None:
    await app.subscribe(ADA)
    key = await app.key(Scope.SUBJECTS_MANAGE, Scope.SUBJECTS_READ)
    body = {"email": ADA, "received_at": LONG_AGO}
    _, asked = await call(app, key, "POST", "/v1/rights-requests", body | {"kind": "access"})
    path = f"/v1/rights-requests/{asked['request_id']}"

    assert (await call(app, key, "GET", path))[0] == 200
    assert (await verify(app.parts)).rows == []


async def test_an_erasure_that_was_asked_for_long_ago_is_carried_out(app: App) -> None:
    await app.subscribe(ADA)
    key = await app.key(Scope.SUBJECTS_MANAGE)
    body = {"email": ADA, "received_at": LONG_AGO}
    _, asked = await call(app, key, "POST", "/v1/erasures", body)

    status, shown = await call(app, key, "GET", f"/v1/erasures/{asked['erasure_id']}")
    assert (status, shown["state"]) == (200, "done")
    assert (await verify(app.parts)).rows == []


async def test_a_message_that_expired_long_ago_is_no_strangers(app: App) -> None:
    await app.subscribe(ADA)
    key = await app.key(Scope.MESSAGES_SEND, purposes=["newsletter"])
    content = {"content": {"subject": "s", "text": "t"}, "expires_at": LONG_AGO}
    body = {"to": {"email": ADA}, "purpose": "newsletter"} | content
    _, queued = await call(app, key, "POST", "/v1/messages", body)
    await app.deliver()

    _, shown = await call(app, key, "GET", f"/v1/messages/{queued['message_id']}")
    assert shown["status"] == "failed"
    assert (await verify(app.parts)).rows == []
