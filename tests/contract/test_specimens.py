"""What was shown or sent is kept once, under its hash, and shown only while that is its hash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Delete, Update, delete, func, select, update

from consent import shown_tables, specimens
from consent.shown_tables import specimen
from consent.specimens import Specimen, What
from storage.database import Database
from tests.support.audit import MOMENT

PAGE = Specimen(What.PAGE, b"<p>Yes, I confirm</p>")
MAIL = Specimen(What.MAIL, b'{"format":"consentgw/mail/v1","pieces":[]}')


@pytest.fixture(autouse=True)
async def schema(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(shown_tables.metadata.create_all)


async def keep(database: Database, *shown: Specimen, at: Any = MOMENT) -> None:
    async with database.begin() as connection:
        await specimens.keep(connection, shown, at)


async def test_what_is_kept_comes_back_and_is_kept_once(database: Database) -> None:
    await keep(database, PAGE, MAIL, PAGE)
    await keep(database, PAGE, at=MOMENT + timedelta(days=1))

    async with database.read() as connection:
        found = await specimens.get(connection, {PAGE.name, "sha256:" + "0" * 64})
        count = (await connection.execute(select(func.count()).select_from(specimen))).scalar_one()
        every = await specimens.every(connection)
        kept_at = (await connection.execute(select(specimen.c.kept_at).distinct())).scalars().all()

    assert (found, count, kept_at) == ({PAGE.name: PAGE}, 2, [MOMENT])
    assert {one.name for one in every} == {PAGE.name, MAIL.name}


ALTERED: dict[str, Update | Delete] = {
    "other bytes": update(specimen).values(body=b"<p>Yes, sell my address</p>"),
    "an unknown kind": update(specimen).values(what="letter"),
}


@pytest.mark.parametrize("how", ALTERED.values(), ids=ALTERED.keys())
async def test_one_that_was_altered_is_shown_to_nobody_named_and_put_back(
    database: Database, how: Update
) -> None:
    await keep(database, PAGE)
    async with database.begin() as connection:
        await connection.execute(how)

    async with database.read() as connection:
        assert await specimens.get(connection, {PAGE.name}) == {}
        assert await specimens.every(connection) == []
        assert await specimens.altered(connection) == [f"specimen {PAGE.name}"]
        assert await specimens.broken(connection, {PAGE.name}) == {PAGE.name}
        assert await specimens.missing(connection, {PAGE.name}) == []
    await keep(database, PAGE)
    async with database.read() as connection:
        assert await specimens.altered(connection) == []


async def test_one_that_is_gone_is_missing(database: Database) -> None:
    await keep(database, PAGE)
    async with database.begin() as connection:
        await connection.execute(delete(specimen))

    async with database.read() as connection:
        assert await specimens.missing(connection, {PAGE.name, MAIL.name}) == sorted(
            [PAGE.name, MAIL.name]
        )
        assert await specimens.missing(connection, set()) == []
