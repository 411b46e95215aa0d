"""By SQL: the row that somebody was found by before their address changed is put back.

A gateway wrote it, so its MAC fits. Who has that address by now, or says so, would have the
wrong person erased, looked up or signed off, and be told that it was done.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from consent.tables import subject_index
from tests.attacks.test_hidden_rows import BOB, final, mailed
from tests.contract.test_lookup import doubts
from tests.http.test_people_rights import visit
from tests.promises.test_erased_is_erased import erase
from tests.support.addresses import NEW, asked, press
from tests.support.apps import ADA, App
from tests.support.calls import call
from tests.support.stores import rows

REASON = {"Access-Reason": "a letter"}


async def moved(app: App) -> str:
    """Ada is mailed elsewhere, and the row of before leads to her again; her id."""
    await app.subscribe()
    mails = await asked(await visit(app))
    async with app.parts.data.read() as connection:
        old = await rows(connection, subject_index)
    await press(app, mails.new)
    assert await app.subject() is None
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(subject_index), old)
    ada = await app.subject(NEW)
    assert ada is not None
    assert await app.subject() == ada
    return ada


async def test_nobody_is_erased_by_an_address_that_is_theirs_no_more(app: App) -> None:
    await moved(app)

    status, _ = await erase(app, email=ADA)

    assert status == 503
    assert await app.permission(NEW) == "granted"


async def test_nobody_leaves_by_an_address_that_is_theirs_no_more(app: App) -> None:
    await moved(app)
    body = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "letter"}

    status, _ = await call(app, await app.key(), "POST", "/v1/withdrawals", body)

    assert status == 503
    assert await app.permission(NEW) == "granted"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/subjects/lookup", {}),
        ("/v1/rights-requests", {"kind": "access"}),
        ("/v1/audit/export", {"format": "jsonl"}),
    ],
    ids=["looked up", "asks by right", "exported"],
)
async def test_nobody_is_known_by_an_address_that_is_theirs_no_more(
    app: App, path: str, body: dict[str, Any]
) -> None:
    await moved(app)
    headers = await app.key() | REASON

    async with app.http.post(path, json={"email": ADA, **body}, headers=headers) as answer:
        assert answer.status == 404


async def test_no_link_is_sent_because_somebody_asked_for_the_address_of_before(app: App) -> None:
    await moved(app)
    await app.deliver()
    app.step(timedelta(days=1, seconds=1))  # one goes a day

    await app.http.post("/my-data", data={"email": ADA})

    assert await app.deliver() == []


async def test_a_row_that_finds_somebody_by_an_address_of_before_is_named(app: App) -> None:
    ada = await moved(app)

    await app.tick()

    assert f"subject_index of {ada}" in await doubts(app)


async def test_whose_row_leads_to_somebody_else_is_not_told_that_they_left(app: App) -> None:
    """For the moment of the answer; neither is that somebody signed off."""
    await mailed(app)
    ada, bob = await app.subject(ADA), await app.subject(BOB)
    theirs = subject_index.c.subject == ada
    async with app.parts.data.begin() as connection:
        before = [row for row in await rows(connection, subject_index) if row["subject"] == ada]
        await connection.execute(update(subject_index).where(theirs).values(subject=bob))

    body = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    status, _ = await call(app, await app.key(), "POST", "/v1/withdrawals", body)

    async with app.parts.data.begin() as connection:
        hashes = [row["hash"] for row in before]
        await connection.execute(delete(subject_index).where(subject_index.c.hash.in_(hashes)))
        await connection.execute(insert(subject_index), before)
    assert await app.permission(BOB) == "granted"
    await final(app, status)
