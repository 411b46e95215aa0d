"""By SQL, in SQLite: rows of the first release that no upgrade can find again by their name."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.databases import Databases
from tests.support.gateways import _HERE, environment
from tests.support.stored import LIVES, Life, open_life

NAMES = {"bytes that are no text": "CAST(x'ff' AS TEXT)", "bytes": "x'ff'", "NUL": "'a' || char(0)"}


def upgrade(life: Life) -> str:
    command = [sys.executable, "-m", "gateway", "--config", str(life.gateway.config)]
    done = subprocess.run(
        [*command, "db", "upgrade"],
        cwd=_HERE,
        env=environment(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    return f"{done.returncode} {done.stderr.decode()[-500:]}"


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_an_upgrade_ends_whatever_a_row_is_called(
    dialect: str, name: str, tmp_path: Path, new_database_url: Databases
) -> None:
    async with open_life(LIVES[-1], tmp_path, new_database_url, dialect) as life:
        with closing(sqlite3.connect(tmp_path / "data.db")) as raw, raw:
            columns = [row[1] for row in raw.execute("PRAGMA table_info(subject)")]
            changed = {"id": name, "blind_index": "x'0102'"}
            picked = ", ".join(changed.get(one, f'"{one}"') for one in columns)
            raw.execute(f"INSERT INTO subject SELECT {picked} FROM subject LIMIT 1")  # noqa: S608

        said = await asyncio.to_thread(upgrade, life)

        assert said.startswith("0 "), said
