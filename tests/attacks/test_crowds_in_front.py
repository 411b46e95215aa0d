"""Rows that somebody planted, dated ahead, do not hide that the key store is an older one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Kind
from consent import tables
from consent.keys import tables as keys
from gateway.flows.restoring import older
from gateway.parts import Parts
from tests.support.apps import App

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
_CROWD = 40


async def _keyless(parts: Parts) -> bool:
    return await older.keyless(parts.data, parts.keystore, parts.rows, parts.clock)


@BOTH
async def test_people_dated_ahead_do_not_stand_for_those_who_came_last(app: App) -> None:
    parts = app.parts
    for name in ("anna", "bert"):
        await app.subscribe(f"{name}@example.org")
    assert not await _keyless(parts)
    async with parts.key_database.begin() as connection:
        await connection.execute(delete(keys.dek))
    async with parts.data.begin() as connection:
        row = dict((await connection.execute(select(tables.subject).limit(1))).one()._mapping)
        # Beside those who are planted: ahead of the clock, and as of now.
        for n in range(_CROWD):
            at = parts.clock.wall() + timedelta(days=n - 1)
            planted = row | {"id": f"sub_{n:026d}", "created_at": at, "locale": "xx"}
            await connection.execute(insert(tables.subject).values(planted))

    assert await _keyless(parts)


@BOTH
async def test_an_honest_row_dated_ahead_does_not_stand_for_them_either(app: App) -> None:
    parts = app.parts
    await app.subscribe("anna@example.org")
    first = await app.subject("anna@example.org")
    for name in ("bert", "carl"):
        await app.subscribe(f"{name}@example.org")
    async with parts.key_database.begin() as connection:
        await connection.execute(delete(keys.dek).where(keys.dek.c.subject != first))
    async with parts.data.begin() as connection:
        at = parts.clock.wall() + timedelta(days=999)
        ahead = update(tables.subject).where(tables.subject.c.id == first).values(created_at=at)
        await connection.execute(ahead)

    assert await _keyless(parts)


@BOTH
@pytest.mark.parametrize("place", ["data", "guard"])
async def test_erasures_dated_ahead_do_not_hide_those_in_no_ledger(app: App, place: str) -> None:
    parts = app.parts
    await app.subscribe("anna@example.org")
    key = await app.key()
    answer = await app.http.post("/v1/erasures", json={"email": "anna@example.org"}, headers=key)
    assert answer.status == 202
    await app.tick()
    async with parts.key_database.begin() as connection:
        await connection.execute(delete(keys.erasure_ledger))
    # Either store alone tells of it; the other one lost its row.
    async with parts.data.begin() as data, parts.guard.begin() as guard:
        if place == "data":
            await guard.execute(delete(tables.taking_away))
            await _crowd(data, tables.erasure, "done_at", "id")
        else:
            await data.execute(delete(tables.erasure))
            await _crowd(guard, tables.taking_away, "at", "eid")

    assert await older.unledgered(parts.data, parts.guard, parts.keystore, parts.rows)


async def _crowd(connection: AsyncConnection, table: Table, dated: str, named: str) -> None:
    """Copies of what was written last, each as of somebody else and a year ahead."""
    newest = select(table).order_by(table.c[dated].desc()).limit(1)
    row = dict((await connection.execute(newest)).one()._mapping)
    for n in range(_CROWD):
        name = n.to_bytes(16) if named == "eid" else f"ers_{n:026d}"
        other: dict[str, object] = {"kind": Kind.SUBJECT_ERASURE_STARTED} if "kind" in row else {}
        other |= {named: name, "subject": f"sub_{n:026d}", dated: row[dated] + timedelta(days=365)}
        await connection.execute(insert(table).values(row | other))
