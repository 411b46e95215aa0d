"""A caller tries addresses by the other endpoints of whoever answers for the data."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from audit.tables import audit_pending
from gateway.callers.api_keys import Scope
from tests.support.apps import App
from tests.support.calls import call

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])


async def test_asking_in_the_name_of_nobody_is_an_event_as_looking_for_them_is(
    app: App, dialect: str
) -> None:
    key = await app.key(Scope.SUBJECTS_MANAGE)

    async def pending() -> int:
        async with app.parts.data.read() as connection:
            return (
                await connection.execute(select(func.count()).select_from(audit_pending))
            ).scalar_one()

    before = await pending()
    body = {"email": "nobody@example.org", "kind": "access"}
    assert (await call(app, key, "POST", "/v1/rights-requests", body))[0] == 404
    assert await pending() > before
