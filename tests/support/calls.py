"""Calls of the API as a sender's program makes them."""

from __future__ import annotations

from typing import Any

from tests.support.apps import ADA, App

INLINE = {"subject": "News", "text": "Hello."}
TO = {"email": ADA}
GRACE = "grace@example.org"


def message(**more: Any) -> dict[str, Any]:
    return {"to": TO, "purpose": "newsletter", "content": INLINE} | more


async def call(
    app: App, key: dict[str, str], method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, Any]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with app.http.request(method, path, json=body, headers=key | sent) as answer:
        raw = await answer.read()
        return answer.status, await answer.json(content_type=None) if raw else None


async def pointers(app: App, key: dict[str, str], path: str, body: Any) -> list[str]:
    status, problem = await call(app, key, "POST", path, body)
    assert status == 422
    return [one["pointer"] for one in problem["errors"]]


async def queue(app: App, to: str = ADA, key: dict[str, str] | None = None, **content: str) -> str:
    """Hand in a message; its id."""
    body = {"to": {"email": to}, "purpose": "newsletter", "content": {"subject": "s", **content}}
    answer = await app.http.post("/v1/messages", json=body, headers=key or await app.key())
    assert answer.status == 202, await answer.text()
    return str((await answer.json())["message_id"])
