"""Stores that are gone are put back from a folder of backups by the one command."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from audit.errors import AuditError
from gateway.errors import GatewayError
from tests.support.databases import Databases
from tests.support.restoring import STAYS, Site, live, mailed


@pytest.mark.long
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_a_gateway_whose_databases_are_gone_is_back_by_one_command(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    site = await Site.make(tmp_path, new_database_url, dialect)
    folder = tmp_path / "backups"
    site.at_present()
    past = await live(site, days=0, backup=folder)
    for name in ("data", "keys"):
        site.urls[name] = new_database_url(dialect)  # another machine: nothing is there

    unready = site.ran("restore")
    said = site.ran("restore", str(folder))
    done = site.ran("restore", str(folder), "--yes")

    assert (unready.returncode, said.returncode) == (1, 1)
    assert "give the DIR" in unready.stderr and "say --yes" in said.stderr
    assert (done.returncode, "taken away again" in done.stdout) == (0, True), done.stderr
    assert "accepted gap" in site.ran("audit", "verify").stdout
    site.clock.step(timedelta(hours=2))  # behind what the commands wrote
    async with site.started() as app:
        assert await mailed(app) == [STAYS]
        await app.tick()
    report, rows = await site.verified(past.checkpoint, past.later)
    assert (report.ok, rows) == (True, []), report
    assert site.ran("restore").returncode == 0  # nothing is to be done


@pytest.mark.parametrize("guard_apart", [True, False], ids=["guard apart", "guard lost with it"])
@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
async def test_whatever_was_tried_with_a_lost_key_store_its_backup_is_put_back(
    dialect: str, tmp_path: Path, new_database_url: Databases, *, guard_apart: bool
) -> None:
    """A row that something left there made it pass for whole: everybody was let go of."""
    site = await Site.make(tmp_path, new_database_url, dialect, guard_apart=guard_apart)
    folder = str(tmp_path / "backups")
    site.at_present()
    async with site.started() as app:
        await app.subscribe(STAYS)
    assert site.ran("backup", folder).returncode == 0
    lost = new_database_url(dialect)
    site.urls |= {"keys": lost} if guard_apart else {"keys": lost, "guard": lost}

    tried = [site.ran(*command) for command in (("db", "upgrade"), ("init",), ("backup", folder))]
    with pytest.raises((AuditError, GatewayError)):
        async with site.started():
            pass
    done = site.ran("restore", folder, "--yes")

    assert [one.returncode for one in tried] == [0, 1, 1]
    assert "Putting back from" in done.stdout, (done.stdout, done.stderr)
    site.clock.step(timedelta(hours=2))  # behind what the commands wrote
    async with site.started() as app:
        assert await app.permission(STAYS) == "granted"
