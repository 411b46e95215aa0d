"""Several queries in one statement, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, select

from consent import tables
from storage.database import Database
from storage.together import Together
from storage.types import among, found_by, texts
from storage.writing import insert_all
from tests.support.statements import statements

NOW = datetime(2026, 3, 3, 14, 5, 6, 789_012, tzinfo=UTC)
intake, key = tables.intake, tables.live_key
OF_ALL = Together(
    keys=select(key.c.number, key.c.kind, key.c.mac, key.c.kid),
    rows=select(intake.c.received_at, intake.c.id, intake.c.sealed).where(
        among(intake.c.id, texts("names"))
    ),
    older=select(intake.c.id).where(intake.c.received_at < bindparam("before", NOW)),
)
KEYS = [
    {"kind": "lookup", "number": 1, "kid": None, "mac": None},
    {"kind": "marks", "number": 2, "kid": 7, "mac": b"\0m"},
]


def row(name: str, sealed: bytes = b"s") -> dict[str, Any]:
    return {
        "id": name,
        "kind": "sign-up",
        "key_id": "ink_1",
        "blind_index": b"i",
        "index_kid": None,
        "sealed": sealed,
        "received_at": NOW,
    }


@pytest.fixture(autouse=True)
async def rows(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(intake.create)
        await connection.run_sync(key.create)
        await insert_all(connection, intake, [row("int_one"), row("int_two", b"\xff")])
        await insert_all(connection, key, KEYS)


async def test_each_query_answers_as_if_it_were_asked_alone(database: Database) -> None:
    given = {"names": ["int_two", "int_none"], "before": NOW}

    async with database.read() as connection:
        found = await OF_ALL.rows(connection, given)

    assert sorted(found["keys"]) == [(1, "lookup", None, None), (2, "marks", b"\0m", 7)]
    assert found["rows"] == [(NOW, "int_two", b"\xff")]
    assert found["older"] == []


async def test_it_is_one_statement(database: Database) -> None:
    given = {"names": [], "before": NOW.replace(year=2027)}

    with statements() as seen:
        async with database.read() as connection:
            found = await OF_ALL.rows(connection, given)

    assert len([one for one in seen if "UNION ALL" in one]) == 1
    assert sorted(found["older"]) == [("int_one",), ("int_two",)]


async def test_what_another_query_finds_can_be_asked_for(database: Database) -> None:
    newest = select(intake.c.id).where(
        intake.c.sealed == bindparam("sealed", b"", intake.c.sealed.type)
    )
    query = select(intake.c.id, intake.c.received_at).where(found_by(intake.c.id, newest))

    async with database.read() as connection:
        both = await connection.execute(query, {"sealed": b"\xff"})
        none = await connection.execute(query, {"sealed": b"other"})

    assert both.all() == [("int_two", NOW)]
    assert none.all() == []
