"""A restore, and the recovery of a log, that are killed anywhere are run again the same way."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from audit.errors import AuditError
from audit.tables import audit_entry
from gateway.cli import restore as command
from gateway.errors import GatewayError
from gateway.flows.restoring import restoration
from gateway.flows.rights.erasing import Erasing
from gateway.process.lifespan import open_parts
from storage.errors import StorageAway
from tests.support.databases import Databases
from tests.support.gaps import gap
from tests.support.kills import Killed
from tests.support.restoring import LATER, STAYS, Past, Site, live, mailed

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]
)


@pytest.fixture
async def site(dialect: str, tmp_path: Path, new_database_url: Databases) -> Site:
    made = await Site.make(tmp_path, new_database_url, dialect)
    made.at_present()
    return made


async def whole(site: Site, past: Past, *stay: str) -> list[str]:
    """Nobody is lost who stays, nor back who left, and the log is one that anybody may check.

    Returns the rows that the log does not tell of.
    """
    async with site.started() as app:
        assert await mailed(app) == sorted(stay)
        await app.tick()
    async with open_parts(site.config, site.clock) as parts:
        assert not await parts.keystore.held([past.forgotten])
    report, rows = await site.verified(past.checkpoint, past.later)
    assert report.ok, report
    return rows


async def failing_at(site: Site, store: str, at: int, *, happened: bool) -> bool:
    """Restore with one transaction of a store that fails; whether there was such a one."""
    async with open_parts(site.config, site.clock) as parts:
        databases = {"data": parts.data, "keys": parts.key_database, "guard": parts.guard}
        steps = command._steps(Erasing(parts))
        with gap(databases[store], at, happened=happened) as one, suppress(StorageAway):
            found = await restoration.look(steps.erasing, declared=False)
            if found.restored.anything:
                await steps.carry_out(found, lambda step: None)
    return one.reached


@BOTH
@pytest.mark.parametrize(
    "happened",
    [pytest.param(False, id="undone"), pytest.param(True, id="done", marks=pytest.mark.long)],
)
async def test_a_restore_that_loses_any_store_at_any_transaction_is_run_again(
    site: Site, happened: bool
) -> None:
    past = await live(site, days=0)

    reached = []
    for store in ("guard", "keys", "data"):
        site.put_back(past.kept, "data", "keys")
        for at in itertools.count(1):
            if not await failing_at(site, store, at, happened=happened):
                break
            reached.append(store)

    assert set(reached) == {"guard", "keys", "data"}
    assert await whole(site, past, STAYS) == []


async def until_done(site: Site, killed: Callable[..., int], refused: str, *arguments: str) -> int:
    """Kill it at every seventh statement, one after the other; how often."""
    for number in itertools.count(1):
        if await asyncio.to_thread(killed, str(7 * number), *arguments) == 0:
            return number
        if number % 10 == 0:  # nothing starts before it is done
            with pytest.raises((AuditError, GatewayError), match=refused):
                async with site.started():
                    pass
    raise AssertionError


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_a_restore_from_files_that_is_killed_anywhere_is_run_again(
    site: Site, tmp_path: Path, new_database_url: Databases, dialect: str
) -> None:
    folder = tmp_path / "backups"
    past = await live(site, days=0, backup=folder)
    for name in ("data", "keys"):
        site.urls[name] = new_database_url(dialect)
    killed = Killed(site.write_config())

    try:
        times = await until_done(site, killed, "gateway|tables", "restore", str(folder), "--yes")
    finally:
        killed.close()

    assert times > 10
    site.clock.step(timedelta(hours=2))  # behind what the commands wrote
    assert await whole(site, past, STAYS) == []


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_a_recovery_that_is_killed_anywhere_is_run_again(site: Site) -> None:
    past = await live(site, days=0)
    async with open_parts(site.config, site.clock) as parts, parts.data.begin() as connection:
        size = await parts.log.size(connection)
        altered = update(audit_entry).where(audit_entry.c.leaf_index == size - 2)
        await connection.execute(altered.values(entry=b"{}"))
    killed = Killed(site.write_config())

    try:
        times = await until_done(site, killed, "gateway", "audit", "recover", "--yes")
    finally:
        killed.close()

    assert times > 5
    site.clock.step(timedelta(hours=2))
    # What the damaged entry told of, no other does.
    assert len(await whole(site, past, STAYS, LATER)) <= 1
