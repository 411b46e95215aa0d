"""What is asked and written about one person PostgreSQL plans a few times, and not each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from gateway.callers.api_keys import Scope
from tests.support.apps import ADA, App

pytestmark = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)

# PostgreSQL plans five times, and then keeps the plan unless planning anew were cheaper.
PLANNED = 5
OFTEN = 12
_PLANS = text("""
    SELECT statement, custom_plans, generic_plans FROM pg_prepared_statements
    WHERE custom_plans + generic_plans >= :often
    AND statement NOT LIKE '%pg_prepared_statements%'
""")


async def planned_anew(app: App, *, of: Sequence[str]) -> list[tuple[str, int]]:
    """What was asked so often over a connection and planned each time, naming these tables."""
    async with app.parts.data.read() as connection:
        found = (await connection.execute(_PLANS, {"often": OFTEN})).all()
    assert [table for table in of if not any(table in one.statement for one in found)] == []
    return [(one.statement, one.custom_plans) for one in found if one.custom_plans > PLANNED]


async def test_a_question(app: App) -> None:
    await app.subscribe()

    for _ in range(OFTEN):
        assert await app.permission() == "granted"

    assert await planned_anew(app, of=["subject_index", "audit_pending"]) == []


async def test_a_message(app: App) -> None:
    await app.subscribe()
    key = await app.key(Scope.MESSAGES_SEND)
    content = {"subject": "Hi", "html": "<p>Hi</p>", "text": "Hi"}
    body: dict[str, Any] = {"to": {"email": ADA}, "purpose": "newsletter", "content": content}

    for _ in range(OFTEN):
        async with app.http.post("/v1/messages", json=body, headers=key) as answer:
            assert answer.status == 202, await answer.text()

    assert await planned_anew(app, of=["subject_index", "outbox"]) == []
