"""Asking for a permission sends nothing, and says why."""

from __future__ import annotations

import asyncio

import pytest

from audit.kinds import Kind
from gateway.callers.api_keys import Scope
from tests.http.test_group_commit import Door
from tests.support.apps import ADA, App
from tests.support.calls import TO, call, pointers
from tests.support.statements import statements


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


async def test_who_asks_at_the_same_time_shares_a_transaction_and_not_an_event(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.subscribe()
    await app.tick()
    keys = [await app.key(Scope.PERMISSIONS_READ) for _ in range(2)]
    before = await looks(app)
    nobody = {"to": {"email": "nobody@example.org"}, "purpose": "newsletter"}
    questions = [{"to": TO, "purpose": "newsletter"}, nobody] * 10

    Door(app, monkeypatch, len(questions))

    with statements() as heard:
        answers = await asyncio.gather(
            *(
                call(app, keys[n % 2], "POST", "/v1/permissions", one)
                for n, one in enumerate(questions)
            )
        )

    assert [told["granted"] for _, told in answers] == [True, False] * 10
    written = [one for one in heard if "INSERT INTO audit_pending" in one]
    assert len(written) < len(questions) / 2
    await app.tick()
    assert await looks(app) - before == len(questions)


async def looks(app: App) -> int:
    async with app.parts.data.read() as connection:
        found = app.parts.log.events(connection, kind=Kind.PERMISSION_ASKED, limit=1000)
        return len(await found)
