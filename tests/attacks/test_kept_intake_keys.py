"""By SQL: a row that nobody reads names a key, which then opens what was worked off for ever."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from consent import intakes
from consent.keys.tables import intake_key
from consent.tables import intake, mark
from gateway.flows.keeping.retention import RetentionRules
from gateway.process import duties
from storage import bad_rows
from tests.support.apps import ADA, App
from tests.support.hostile import by_sql


async def test_no_planted_row_keeps_an_intake_key_alive_for_ever(app: App) -> None:
    """Promise 5: what was worked off can be read from no backup of the data."""
    await app.sign_up(ADA)
    async with app.parts.key_database.read() as connection:
        (key,) = (await connection.execute(select(intake_key.c.id))).scalars()
    await app.tick()
    await by_sql(
        app,
        "INSERT INTO intake (id, kind, key_id, blind_index, sealed, received_at) VALUES"
        f" ('int_1', 'another', '{key}', 'x', 'x', '2026-01-01T00:00:00.000000Z')",
    )

    for _ in range(40):
        app.step(timedelta(days=1))
        await duties.sweep(app.parts)
    await app.sign_up("bob@example.org")  # closes the one before
    app.step(timedelta(hours=1))
    await duties.sweep(app.parts)
    await app.tick()
    app.step(timedelta(hours=1))
    await duties.sweep(app.parts)

    async with app.parts.key_database.read() as connection:
        assert key not in list((await connection.execute(select(intake_key.c.id))).scalars())


async def test_a_sign_up_of_another_kind_is_not_kept_for_ever(app: App) -> None:
    """Promise 12: nobody works it off, nobody counts it, and nobody gives it up."""
    await app.sign_up(ADA)
    await by_sql(app, "UPDATE intake SET kind = 'another'")

    await app.tick()
    for _ in range(3):
        app.step(timedelta(days=31))
        await duties.sweep(app.parts)

    async with app.parts.data.read() as connection:
        assert (await connection.execute(select(intake.c.id))).all() == []


@pytest.mark.parametrize(
    ("kind", "received_at"),
    [
        ("another", "2026-01-01T00:00:00.000000Z"),
        ("another", "9000-01-01T00:00:00.000000Z"),
        ("sign-up", "9000-01-01T00:00:00.000000Z"),
    ],
    ids=["another kind", "that comes", "parked"],
)
async def test_no_planted_row_keeps_itself_or_a_mark_for_ever(
    app: App, dialect: str, kind: str, received_at: str
) -> None:
    await app.subscribe(ADA)
    body = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    answer = await app.http.post("/v1/withdrawals", json=body, headers=await app.key())
    assert answer.status == 200
    await by_sql(
        app,
        "INSERT INTO intake (id, kind, key_id, blind_index, sealed, received_at) VALUES"
        f" ('int_1', '{kind}', 'ink_1', 'x', 'x', '{received_at}')",
    )
    # SQLite keeps the text as it is, where bytes belong.
    unread = int(kind != "sign-up" or dialect == "sqlite")
    async with app.parts.data.begin() as connection:
        assert await intakes.unreadable(connection) == unread
        now = await app.parts.clock.now(connection)
        await bad_rows.park(connection, "intake", {"int_1": "failed"}, now)

    for _ in range(3):
        app.step(timedelta(days=31))
        await duties.sweep(app.parts)
    while await RetentionRules(app.parts).marks():
        pass

    async with app.parts.data.read() as connection:
        assert (await connection.execute(select(intake.c.id))).all() == []
        assert (await connection.execute(select(mark.c.id))).all() == []


async def test_what_only_waits_is_not_given_up_however_long(app: App) -> None:
    """No duty ran for weeks: an acknowledged sign-up is worked off all the same."""
    await app.sign_up(ADA)

    app.step(timedelta(days=90))
    await duties.sweep(app.parts)
    await app.tick()

    assert await app.subject(ADA) is not None
