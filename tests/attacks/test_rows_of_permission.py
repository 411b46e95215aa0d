"""By SQL: anything in any column of a consent or a permit. It stops nobody else's mail."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

import pytest
from sqlalchemy import Table

from consent.tables import consent
from delivery.tables import permit
from gateway.flows.proving import verify
from tests.support.apps import ADA, App
from tests.support.hostile import (
    SOME_OR_ALL,
    attack,
    by_sql,
    drop_constraints,
    hostile_to,
    prepared_anew,
)

GRACE = "grace@example.org"
WORD_OR_NUMBER = (0, 2**31)
# What the MAC leaves out may be another value of the same type.
UNPROVEN = {"mails", "profile"}
# What the event of a permit says, too.
GRANTED = {"message", "attempt", "subject", "purpose", "ground_kind", "ground_id", "eid"}


async def loosen(app: App, table: Table) -> None:
    """Drop every constraint, and keep the rows."""
    name = table.name
    if app.parts.data.dialect == "postgresql":
        async with app.parts.data.begin() as connection:
            await drop_constraints(connection, table)
    await by_sql(app, f"CREATE TABLE kept_{name} AS SELECT * FROM {name}")
    if app.parts.data.dialect == "sqlite":
        await by_sql(app, f"DROP TABLE {name}", f"CREATE TABLE {name} AS SELECT * FROM kept_{name}")
    await prepared_anew(app.parts)


async def put_back(app: App, table: Table) -> None:
    name = table.name
    await by_sql(app, f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM kept_{name}")


# SQLite keeps any type in any column: minutes of it. On PostgreSQL the one below asks as much.
@pytest.mark.long
@pytest.mark.parametrize("each", [1])
async def test_whatever_stands_in_a_consent_is_no_consent_and_stops_nobody(
    app: App, dialect: str, each: int
) -> None:
    for one in (GRACE, ADA):
        await app.subscribe(one)
    await loosen(app, consent)
    for column, name, value, _ in hostile_to(consent, dialect, WORD_OR_NUMBER, each):
        what = f"{column.name}: {name}"
        await by_sql(app, attack(column, dialect, value))

        verdict = await verify.verify(app.parts)
        answers = [await app.permission(one) for one in (ADA, GRACE)]
        await put_back(app, consent)

        assert "granted" in answers, what
        unchanged = name == "null" and column.nullable
        if column.name not in UNPROVEN and not unchanged:
            assert not verdict.ok, what
            assert answers.count("granted") == 1, what
    assert (await verify.verify(app.parts)).ok


@pytest.mark.parametrize(
    ("column", "value"),
    [("state", "'perhaps'"), ("evidence", "''"), ("eid", "'text'"), ("requested_at", "'soon'")],
    ids=["a state that is none", "an evidence that is none", "text for bytes", "no moment"],
)
@pytest.mark.parametrize("dialect", ["sqlite"])  # which keeps any type
async def test_a_claim_goes_past_a_consent_that_cannot_be_read(
    app: App, dialect: str, column: str, value: str
) -> None:
    for one in (GRACE, ADA):
        await app.subscribe(one)
    key = await app.key()
    for one in (ADA, GRACE):
        body = {"to": {"email": one}, "purpose": "newsletter"}
        content = {"content": {"subject": "News", "text": "Hello."}}
        async with app.http.post("/v1/messages", json=body | content, headers=key) as answer:
            assert answer.status == 202
    await by_sql(app, attack(consent.c[column], dialect, value))

    mails = await app.deliver()

    assert len(mails) == 1


@pytest.mark.parametrize(
    "dialect", [pytest.param("sqlite", marks=pytest.mark.long), "postgresql"], indirect=True
)
@SOME_OR_ALL
async def test_whatever_stands_in_a_permit_is_named_and_ends_no_verification(
    app: App, dialect: str, each: int
) -> None:
    for one in (GRACE, ADA):
        await app.subscribe(one)
    await loosen(app, permit)
    for column, name, value, _ in hostile_to(permit, dialect, WORD_OR_NUMBER, each):
        await by_sql(app, attack(column, dialect, value))

        verdict = await verify.verify(app.parts)
        await put_back(app, permit)

        what = f"{column.name}: {name}"
        assert not verdict.ok or column.name not in GRANTED, what
    assert (await verify.verify(app.parts)).ok
