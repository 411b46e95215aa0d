"""Values that are not what their column is for are read without failing the rows beside them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select, text

from storage.database import Database
from storage.sound import sound, unsound, within
from storage.types import NO_MOMENT, Moment

metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("n", Integer, primary_key=True, info=within(0, 99)),
    Column("name", String(40), nullable=False, info=within(1, 9)),
    Column("at", Moment, info=within(27)),
)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
NO_DATES = {
    "sqlite": ["'soon'", "7", "x'00'", "'2026-02-30T00:00:00.000000Z'", "CAST(x'ff' AS TEXT)"],
    "postgresql": ["'20000-01-01Z'", "'4000-01-01 BC'", "'-infinity'"],
}


@pytest.fixture(autouse=True)
async def table(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(insert(things).values(n=1, name="a", at=NOON))


async def test_what_is_no_moment_is_read_as_one_and_is_not_sound(database: Database) -> None:
    wrong = NO_DATES[database.dialect]
    async with database.begin() as connection:
        for n, value in enumerate(wrong, 2):
            await connection.execute(text(f"INSERT INTO things VALUES ({n}, 'b', {value})"))  # noqa: S608 an attacker's SQL

    async with database.read() as connection:
        read = (await connection.execute(select(things.c.at).order_by(things.c.n))).scalars().all()
        good = (await connection.execute(select(things.c.n).where(sound(things)))).scalars().all()
        named = (await connection.execute(unsound(things, 99))).all()

    assert read == [NOON, *[NO_MOMENT] * len(wrong)]
    assert good == [1]
    assert {tuple(one) for one in named} == {("at", str(n)) for n in range(2, 2 + len(wrong))}


@pytest.fixture(params=["UTC", "Pacific/Auckland", "America/St_Johns"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process as it is elsewhere, for the length of a test."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("zone")
async def test_the_last_moment_that_there_is_is_read_as_it_was_written_in_every_time_zone(
    database: Database,
) -> None:
    moments = [LAST, None]
    async with database.begin() as connection:
        for n, at in enumerate(moments, 2):
            await connection.execute(insert(things).values(n=n, name="b", at=at))

    async with database.read() as connection:
        query = select(things.c.at).order_by(things.c.n)
        read = (await connection.execute(query)).scalars().all()
        latest = (await connection.execute(select(func.max(things.c.at)))).scalar_one()

    assert read == [NOON, *moments]
    assert latest == LAST


@pytest.mark.parametrize("dialect", ["sqlite"])  # PostgreSQL takes only text that is some
async def test_text_that_is_not_utf_8_fails_no_statement(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text("INSERT INTO things VALUES (2, CAST(x'61ff' AS TEXT), NULL)"))

    async with database.read() as connection:
        names = (await connection.execute(select(things.c.name))).scalars().all()

    assert names == ["a", "a\N{REPLACEMENT CHARACTER}"]
