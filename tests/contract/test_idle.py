"""While there is nothing to do, nothing is written, and nobody is kept from writing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from delivery.tables import worker
from gateway.flows.keeping.rotation import Rotation
from gateway.keyfiles.followed import FollowedKeyring
from gateway.process import duties
from gateway.process.duties import Duty
from storage.database import Database, sqlite_files
from tests.http.test_bound_keys import CAMPAIGNS, campaign
from tests.support.apps import App
from tests.support.calls import call
from tests.support.statements import engine_of

OFTEN = timedelta(minutes=1)


async def stored(database: Database) -> Any:
    """Another one after each write, also where it wrote what was there, or locked a row."""
    if database.dialect == "sqlite":
        url = engine_of(database).url
        files = [one for one in sqlite_files(url) if not one.name.endswith("-shm")]
        return [one.read_bytes() for one in files if one.exists()]
    tables = text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    found = {}
    async with database.read() as connection:
        for name in (await connection.execute(tables)).scalars():
            rows = f'SELECT ctid::text, xmin::text, xmax::text FROM "{name}"'  # noqa: S608
            found[name] = sorted(map(tuple, await connection.execute(text(rows))))
    return found


async def everything(app: App) -> list[Any]:
    parts = app.parts
    return [await stored(one) for one in (parts.data, parts.key_database, parts.guard)]


@dataclass
class Idle:
    """A process, and how often it may have written."""

    app: App
    duties: list[Duty]
    writing: list[str] = field(default_factory=list)

    async def turn(self, every: timedelta = timedelta(days=1)) -> None:
        for duty in self.duties:
            if duty.every < every:
                await duty.run()


@pytest.fixture
async def idle(app: App, monkeypatch: pytest.MonkeyPatch) -> Idle:
    await app.subscribe()
    begun = Idle(app, duties.of(app.parts))
    for _ in range(3):
        await begun.turn()
    for how in ("begin", "at_once"):
        monkeypatch.setattr(Database, how, _noted(begun, getattr(Database, how)))
    return begun


def _noted(by: Idle, lend: Callable[[Database], Any]) -> Callable[[Database], Any]:
    def noted(database: Database) -> Any:
        by.writing.append(database.name)
        return lend(database)

    return noted


async def test_nothing_is_written(idle: Idle) -> None:
    before = await everything(idle.app)

    await idle.turn()

    assert await everything(idle.app) == before


async def test_what_comes_often_begins_nothing_and_locks_nothing(idle: Idle) -> None:
    await idle.turn(OFTEN)

    assert idle.writing == []


async def test_nor_while_the_mails_of_a_campaign_wait_or_stand_still(idle: Idle) -> None:
    """It may be for days: for their hour, for a quota, or until somebody lets them go on."""
    app, key = idle.app, await idle.app.key()
    app.step(timedelta(seconds=1))
    going, stands = [await campaign(app, key, "newsletter") for _ in range(2)]
    for _ in range(3):
        app.step(timedelta(seconds=1))
        await idle.turn(OFTEN)
    await call(app, key, "POST", f"{CAMPAIGNS}/{stands}/pause")
    for _ in range(3):
        await idle.turn(OFTEN)
    idle.writing.clear()

    await idle.turn(OFTEN)

    assert idle.writing == []
    _, seen = await call(app, key, "GET", f"{CAMPAIGNS}/{going}")
    assert seen["counts"] == {"queued": 1}


async def test_a_process_says_what_it_holds_at_once_and_that_it_runs_now_and_then(
    idle: Idle,
) -> None:
    app = idle.app
    ring = FollowedKeyring(app.parts.config.keys.keyring, app.parts.keyring)
    parts = (app.parts.key_database, app.parts.data, app.parts.clock, app.parts.log, app.parts.rows)
    process = Rotation(*parts, ring)
    said = []
    for seconds in (0, 19, 2, 19, 2):
        app.step(timedelta(seconds=seconds))
        idle.writing.clear()
        await process.keep()
        said.append(idle.writing == ["key store"])
    await process.begin()
    idle.writing.clear()
    await process.keep()

    assert said == [True, False, True, False, True]
    assert idle.writing[:1] == ["key store"]


async def test_a_worker_that_is_gone_is_forgotten_all_the_same(idle: Idle) -> None:
    now = idle.app.parts.clock.wall()
    gone = {"id": "wrk_1", "boot_id": "b", "lease_until": now, "started_at": now}
    async with idle.app.parts.data.begin() as connection:
        await connection.execute(insert(worker).values(gone))

    await idle.turn(OFTEN)

    async with idle.app.parts.data.read() as connection:
        assert "wrk_1" not in (await connection.execute(select(worker.c.id))).scalars().all()
