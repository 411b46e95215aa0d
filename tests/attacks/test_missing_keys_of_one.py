"""Somebody who writes into the key store takes keys of one person: the others go on as ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete

from consent.keys import tables
from consent.keys.vault import Compartment
from gateway.process.lifespan import open_parts, put_in_order
from tests.support.databases import Databases
from tests.support.restoring import STAYS, WITHDRAWS, Site

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]
)


@BOTH
async def test_a_restore_destroys_no_key_of_who_lacks_another(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    site = await Site.make(tmp_path, new_database_url, dialect)
    async with site.started() as app:
        await app.subscribe(STAYS)
        await app.tick()
        subject = await app.subject(STAYS)
        assert subject is not None
    kept = site.keep()
    async with site.started() as app:
        await app.subscribe(WITHDRAWS)
        await app.tick()
        async with app.parts.key_database.begin() as connection:
            dek = tables.dek.c
            lost = delete(tables.dek).where(dek.subject == subject, dek.compartment == "profile")
            await connection.execute(lost)
    site.put_back(kept, "data")

    found, done = await site.restore()

    assert (found.restored.names, done.keyless, done.damaged) == (["data"], 0, 1)
    async with open_parts(site.config, site.clock) as parts:
        assert await parts.keystore.held([subject]) == {(subject, Compartment.EVIDENCE)}
        assert await parts.keystore.erased([subject]) == set()


@BOTH
async def test_who_came_last_without_keys_keeps_nothing_from_starting(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    site = await Site.make(tmp_path, new_database_url, dialect)
    async with site.started() as app:
        for email in (STAYS, WITHDRAWS):
            await app.subscribe(email)
        await app.tick()
        subject = await app.subject(WITHDRAWS)
        async with app.parts.key_database.begin() as connection:
            await connection.execute(delete(tables.dek).where(tables.dek.c.subject == subject))

    async with open_parts(site.config, site.clock) as parts:
        await put_in_order(parts)
    _, rows = await site.verified()
    assert any(str(subject) in row for row in rows)
