"""By SQL: who asked to be erased under a hold, and whose restriction is taken back."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from consent.tables import subject
from tests.contract.test_holds import ada, app, erase, place
from tests.support.apps import App
from tests.support.calls import queue

__all__ = ["app"]
pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])


async def test_no_mail_goes_to_who_was_told_that_they_are_restricted(
    app: App, dialect: str
) -> None:
    whom = await ada(app)
    await place(app, whom)
    await queue(app, text="Hello.")
    row = subject.c
    names = ("restricted_at", "asking_blocked_at", "kid", "mac")
    async with app.parts.data.read() as connection:
        query = select(*(row[name] for name in names)).where(row.id == whom)
        before = dict((await connection.execute(query)).one()._mapping)
    assert (await erase(app, whom))["state"] == "held"

    async with app.parts.data.begin() as connection:
        await connection.execute(update(subject).where(row.id == whom).values(before))

    assert await app.deliver() == []
