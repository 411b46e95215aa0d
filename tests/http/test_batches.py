"""Batches of messages: each is answered by itself, in its place."""

from __future__ import annotations

from gateway.callers.api_keys import Scope
from tests.support.apps import ADA, App
from tests.support.calls import GRACE, call, message, pointers


async def test_a_batch_answers_each_in_order(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()
    batch = {
        "messages": [
            message(to={"email": "ada@"}),
            message(),
            message(to={"email": GRACE}),
            message(content={"template": "nothing"}),
            message(to={"email": ADA.upper()}),
        ]
    }

    status, answer = await call(app, key, "POST", "/v1/messages/batch", batch)

    assert status == 200
    results = answer["results"]
    assert [one["status"] for one in results] == [
        "invalid",
        "queued",
        "refused",
        "invalid",
        "queued",
    ]
    assert results[0]["errors"][0]["pointer"] == "/to/email"
    assert (results[2]["reason"], results[2]["class"]) == ("unknown", "ask_first")
    assert len(await app.deliver()) == 2


async def test_a_batch_has_a_largest_size(embedded: App) -> None:
    key = await embedded.key(Scope.MESSAGES_SEND)

    assert await pointers(embedded, key, "/v1/messages/batch", {"messages": []}) == ["/messages"]
    most = {"messages": [message()] * 1001}
    assert await pointers(embedded, key, "/v1/messages/batch", most) == ["/messages"]
