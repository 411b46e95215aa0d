"""What every call of a sender meets: its key and the key's bounds, and storage that is away."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.callers.api_keys import Scope
from storage.errors import StorageAway
from tests.support.apps import App
from tests.support.calls import TO, call, message


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/messages", Scope.MESSAGES_SEND),
        ("POST", "/v1/messages/batch", Scope.MESSAGES_SEND),
        ("GET", "/v1/messages/msg_1", Scope.MESSAGES_SEND),
        ("DELETE", "/v1/messages/msg_1", Scope.MESSAGES_SEND),
        ("POST", "/v1/permissions", Scope.PERMISSIONS_READ),
        ("POST", "/v1/withdrawals", Scope.CONSENTS_WITHDRAW),
        ("POST", "/v1/signups", Scope.SIGNUPS_CREATE),
        ("GET", "/v1/audit/events", Scope.AUDIT_READ),
    ],
)
async def test_a_call_needs_a_key_with_its_scope(
    embedded: App, method: str, path: str, scope: Scope
) -> None:
    others = await embedded.key(*(one for one in Scope if one is not scope))

    for key in ({}, {"Authorization": "Bearer cgw_" + "A" * 43}, {"Authorization": "Basic x"}):
        async with embedded.http.request(method, path, headers=key) as answer:
            assert (answer.status, (await answer.json())["type"]) == (
                401,
                "/problems/not-authenticated",
            )
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    status, problem = await call(embedded, others, method, path, {})
    assert (status, problem["type"], problem["scope"]) == (403, "/problems/scope-missing", scope)


async def test_a_bound_key_reaches_its_own_purposes_only(app: App) -> None:
    purpose = await app.key(purposes=["newsletter"])
    sender = await app.key(senders=["other"])
    await app.subscribe()
    outside = "/problems/outside-key"

    async def kind(key: dict[str, str], path: str, body: Any) -> Any:
        status, said = await call(app, key, "POST", path, body)
        return said.get("type", status)

    for key, own in ((purpose, "newsletter"), (sender, "elsewhere")):
        strange = "updates"
        question = {"to": TO, "purpose": own}
        assert await kind(key, "/v1/permissions", question) == 200
        assert await kind(key, "/v1/permissions", question | {"purpose": strange}) == outside
        assert await kind(key, "/v1/messages", message(purpose=strange)) == outside
        leave = {"to": TO, "purpose": strange, "kind": "withdraw", "channel": "phone"}
        assert await kind(key, "/v1/withdrawals", leave) == outside
        everything = {"to": TO, "all": True, "kind": "withdraw", "channel": "phone"}
        assert await kind(key, "/v1/withdrawals", everything) == outside
        objection = {"to": TO, "purpose": own, "kind": "object", "channel": "phone"}
        assert await kind(key, "/v1/withdrawals", objection) == outside
    batch = {"messages": [message(purpose="updates"), message()]}
    _, answer = await call(app, purpose, "POST", "/v1/messages/batch", batch)
    assert [one["status"] for one in answer["results"]] == ["invalid", "queued"]
    assert answer["results"][0]["errors"] == [
        {"pointer": "/purpose", "detail": "is outside the API key"}
    ]


async def test_while_storage_is_away_nothing_is_accepted(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await app.key()
    await app.subscribe()
    body = await app.posted()

    def away(*_: object) -> None:
        raise StorageAway("data")

    with monkeypatch.context() as patched:
        for transaction in ("begin", "at_once"):
            patched.setattr(app.parts.data, transaction, away)
        for path, sent in (
            ("/v1/messages", message()),
            ("/v1/messages/batch", {"messages": [message()]}),
            ("/v1/withdrawals", {"to": TO, "all": True, "kind": "object", "channel": "phone"}),
            ("/v1/signups", body | {"form": "signup"}),
            ("/forms/signup", body),
        ):
            async with app.http.post(path, json=sent, headers=key) as answer:
                problem = await answer.json()
            assert (answer.status, problem["type"]) == (503, "/problems/storage-away"), path
            assert answer.headers["Retry-After"]
    assert await app.deliver() == []
