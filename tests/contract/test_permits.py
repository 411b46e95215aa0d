"""What a spent permit counts for: the use of its ground, or not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import permits, retention, tables
from delivery.permits import Permit, Terms
from gateway.schema import database_schema
from gateway.schema.database_schema import DATA
from storage.database import Database
from tests.support.clock import START
from tests.support.statements import statements

GROUND = "con_1"
LATER = START + timedelta(days=3)


async def spent(connection: AsyncConnection, name: str, at: datetime, *, keeps_use: bool) -> None:
    """A permit on the one ground whose message is gone."""
    terms = Terms(counts=keeps_use, for_all=False, keeps_use=keeps_use)
    one = Permit(
        id=name,
        message=f"msg_{name}",
        attempt=1,
        owner="wrk_1",
        subject="sub_1",
        purpose="newsletter",
        ground_kind="consent" if keeps_use else "confirmation",
        ground_id=GROUND,
        terms=terms,
        decided_at=at,
        expires_at=at,
        eid=b"e",
    )
    await permits.grant(connection, [one])
    table = tables.permit
    statement = table.update().where(table.c.id == name)
    await connection.execute(statement.values(state=permits.SPENT, spent_at=at))


@pytest.fixture
async def used(database: Database) -> Database:
    """A consent that was used once, and a mail that asked for it once more since."""
    await database_schema.upgrade_one(database, DATA)
    async with database.begin() as connection:
        await spent(connection, "per_1", START, keeps_use=True)
        await spent(connection, "per_2", LATER, keeps_use=False)
    return database


async def test_a_permit_that_is_no_use_of_its_ground_prolongs_nothing(used: Database) -> None:
    async with used.read() as connection:
        assert await permits.last_spent(connection, {GROUND: "sub_1"}) == {GROUND: START}


async def test_nor_does_it_take_the_place_of_the_one_that_was_the_last_use(used: Database) -> None:
    async with used.read() as connection:
        old = await retention.old_permits(connection, None, LATER, 10)

    assert {one.id: one.last_use for one in old} == {"per_1": START, "per_2": None}


async def test_what_is_asked_for_what_got_lost_is_as_short_however_much_is_carried(
    used: Database,
) -> None:
    texts = set()
    for carried in (set(), {(f"msg_{number}", 1) for number in range(300)}):
        async with used.begin() as connection:
            with statements() as executed:
                assert await permits.lock_unused(connection, "wrk_1", carried, LATER) == []
        texts |= {one for one in executed if "permit" in one}
    assert len(texts) == 1
