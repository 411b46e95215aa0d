"""Somebody's look-up rows are away while a caller passes on that they leave, or are to go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from consent import tables
from gateway.callers.api_keys import Scope
from tests.support.apps import ADA, App
from tests.support.calls import call

INDEX = tables.subject_index
_WITHDRAWAL = {"all": True, "kind": "withdraw", "channel": "phone"}
_ASKED = [
    pytest.param("/v1/withdrawals", {"to": {"email": ADA}, **_WITHDRAWAL}, "withdrawn", id="leave"),
    pytest.param("/v1/erasures", {"email": ADA}, "unknown", id="be-forgotten"),
]


@pytest.mark.parametrize(("path", "body", "afterwards"), _ASKED)
async def test_nobody_is_told_that_it_is_done_while_their_look_up_rows_are_away(
    app: App, path: str, body: dict[str, Any], afterwards: str
) -> None:
    """They would come back, and with them every mail."""
    await app.subscribe()
    key = await app.key(Scope.CONSENTS_WITHDRAW, Scope.SUBJECTS_MANAGE)
    async with app.parts.data.begin() as connection:
        rows = [dict(one._mapping) for one in await connection.execute(select(INDEX))]
        await connection.execute(delete(INDEX))

    status, _ = await call(app, key, "POST", path, body)

    assert status == 503
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(INDEX), rows)
    assert await app.permission() == "granted"
    assert (await call(app, key, "POST", path, body))[0] in (200, 202)
    assert await app.permission() == afterwards


async def test_who_is_not_here_and_who_went_is_answered_as_before(app: App) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW, Scope.SUBJECTS_MANAGE)
    leave = {"to": {"email": ADA}, **_WITHDRAWAL}
    for _ in range(2):
        assert (await call(app, key, "POST", "/v1/withdrawals", leave))[0] == 200
        assert (await call(app, key, "POST", "/v1/erasures", {"email": ADA}))[0] == 404
        app.step(timedelta(seconds=1))
        await app.subscribe()
        assert (await call(app, key, "POST", "/v1/erasures", {"email": ADA}))[0] == 202
