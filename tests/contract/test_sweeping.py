"""Duties that delete many rows wait for nobody who holds one, or it could end in a deadlock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import leases
from gateway.flows.keeping.retention import RetentionRules
from gateway.process import duties
from storage.locks import in_order
from tests.support.apps import ADA, App, open_app
from tests.support.databases import Databases
from tests.support.locks import blocked

YEARS = timedelta(days=3000)


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "postgresql", limits=True) as opened:
        yield opened


async def forget_dead(app: App) -> None:
    async with app.parts.data.begin() as connection:
        await leases.forget_dead(connection, app.parts.clock.wall())


DUTIES: dict[str, Callable[[App], Awaitable[Any]]] = {
    "sweep": lambda app: duties.sweep(app.parts),
    "bodies": lambda app: RetentionRules(app.parts).bodies(),
    "messages": lambda app: RetentionRules(app.parts).messages(),
    "permits": lambda app: RetentionRules(app.parts).permits(),
    "dead workers": forget_dead,
}


async def tables(connection: AsyncConnection) -> MetaData:
    metadata = MetaData()
    await connection.run_sync(metadata.reflect)
    return metadata


@pytest.mark.parametrize("name", DUTIES)
async def test_rows_that_somebody_holds_are_left_for_the_next_time(app: App, name: str) -> None:
    await app.subscribe()
    async with app.http.post("/my-data", data={"email": ADA}):
        await app.deliver()
    app.step(YEARS)

    async with app.parts.data.begin() as connection:
        for table in (await tables(connection)).tables.values():
            await connection.execute(select(table).with_for_update())
        await asyncio.wait_for(DUTIES[name](app), 60)


async def test_what_must_wait_for_rows_takes_them_in_the_order_of_their_keys(app: App) -> None:
    await app.subscribe("grace@example.org", "newsletter", "updates")
    async with app.parts.data.begin() as connection:
        table = (await tables(connection)).tables["consent"]
        first, last = (await connection.execute(select(table.c.id).order_by(table.c.id))).scalars()

    async def remove() -> None:
        async with app.parts.data.begin() as connection:
            # In the order in which rows are read: the last one was written first.
            await connection.execute(text("SET LOCAL enable_indexscan = off"))
            await connection.execute(
                table.update().where(in_order(table, table.c.id > "")), {"form": "x"}
            )

    async with app.parts.data.begin() as connection:
        await connection.execute(table.update().where(table.c.id == first).values(form="new place"))
    async with app.parts.data.begin() as connection:
        await connection.execute(select(table).where(table.c.id == first).with_for_update())
        waiting = asyncio.create_task(remove())
        await blocked(app.parts.data, 1)
        async with app.parts.data.begin() as other:
            query = select(table.c.id).where(table.c.id == last).with_for_update(nowait=True)
            assert (await other.execute(query)).scalar_one() == last
    await waiting
