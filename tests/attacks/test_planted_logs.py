"""Somebody who writes into data or guard names a log that nobody opened: nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from audit.gaps import Cause
from audit.tables import audit_guard, audit_state
from gateway.cli import restore as command
from gateway.flows.restoring import restoration
from gateway.flows.rights.erasing import Erasing
from gateway.process.lifespan import open_parts, put_in_order
from tests.support.databases import Databases
from tests.support.restoring import Site

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]
)


@BOTH
@pytest.mark.parametrize("number", ["2", "7", "999999999999"])
async def test_a_log_that_nobody_opened_is_none(
    dialect: str, number: str, tmp_path: Path, new_database_url: Databases
) -> None:
    site = await Site.make(tmp_path, new_database_url, dialect)
    async with open_parts(site.config, site.clock) as parts:
        name = f"{parts.log.first}/{number}"
        async with parts.data.begin() as connection:
            row = {"log": name, "size": 0, "frontier": b""}
            await connection.execute(insert(audit_state).values(row))
        async with parts.guard.begin() as connection:
            said = {"log": name, "size": 5, "note": "no note"}
            await connection.execute(insert(audit_guard).values(said))

    async with open_parts(site.config, site.clock) as parts:
        await put_in_order(parts)
        steps = command._steps(Erasing(parts))
        found = await restoration.look(steps.erasing, declared=False)
        opened = await steps.opening.begin()
        await steps.opening.end(opened, Cause.DAMAGED)
    async with open_parts(site.config, site.clock) as later:
        assert later.log.generation == 2

    assert (parts.log.generation, found.restored.names, opened.generation) == (1, [], 2)
