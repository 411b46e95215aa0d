"""By SQL: somebody who cannot leave keeps nobody else from leaving.

Those who leave at the same time share a transaction. What is missing of one of them is
that one's alone: else whoever has one such person withdrawn again and again keeps everybody.
"""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.callers.api_keys import Scope
from tests.attacks.test_hidden_rows import BOB, leave, mailed
from tests.support.apps import ADA, App
from tests.support.calls import call
from tests.support.hostile import by_sql

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])  # where foreign keys hold nobody
NOBODY = "sub_00000000000000000000000000"


async def away(app: App) -> dict[str, str]:
    """Somebody whose address is known, and whose row is not there."""
    await by_sql(app, f"DELETE FROM subject WHERE id = '{await app.subject(BOB)}'")
    return {"email": BOB}


async def without_key(app: App) -> dict[str, str]:
    """Somebody who has no key, and left a hundred times."""
    await by_sql(
        app,
        "INSERT INTO subject (id, state, locale, created_at, trail_length)"
        f" VALUES ('{NOBODY}', 'live', 'en', '2026-01-01T00:00:00.000000Z', 0)",
    )
    key = await app.key()
    for _ in range(100):
        assert await withdrawn(app, key, {"subject_id": NOBODY}) == 200
    return {"subject_id": NOBODY}


async def withdrawn(app: App, key: dict[str, str], whom: dict[str, str]) -> int:
    body = {"to": whom, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    return (await call(app, key, "POST", "/v1/withdrawals", body))[0]


@pytest.mark.parametrize("somebody", [away, without_key])
async def test_who_leaves_beside_somebody_who_cannot_leaves_all_the_same(
    app: App, dialect: str, somebody: Callable[[App], Awaitable[dict[str, str]]]
) -> None:
    mail = await mailed(app)
    whom, key = await somebody(app), await app.key(Scope.CONSENTS_WITHDRAW, purposes=["newsletter"])

    async def again_and_again() -> None:
        while True:
            assert await withdrawn(app, key, whom) == 503

    crowd = [asyncio.create_task(again_and_again()) for _ in range(20)]
    await asyncio.sleep(0.3)
    answers = [await leave(app, mail) for _ in range(5)]
    for one in crowd:
        one.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)

    assert answers == [200] * 5
    assert await app.permission(ADA) == "withdrawn"
