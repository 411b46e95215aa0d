"""`gateway drill`: the yearly exercise, as the operator runs it."""

from __future__ import annotations

import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.commands import Run

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@pytest.mark.long
@BOTH
def test_an_exercise_shows_that_nobody_comes_back(run: Run, tmp_path: Path) -> None:
    run("init")
    place, page = tmp_path / "backups", tmp_path / "drill.html"
    assert run("backup", str(place)).status == 0

    held = run("drill", str(place), "-o", str(page), "--locale", "de")
    again = run("drill", "-o", str(page))

    assert (held.status, again.status) == (0, 0)
    shown = ("whole", "fitting", "erased", "back", "unreadable", "noticed", "named")
    assert held.err.splitlines() == [f"{one}: ok" for one in shown]
    said = page.read_text()
    assert "The exercise was passed." in said
    assert "drill.invalid" not in said
    assert sorted(one.name[:7] for one in place.iterdir()) == [".lock", "backup-"]
    assert run("audit", "verify").status == 0
    assert run("status", "--json").json["audit"]["pending"] == 2  # that each was held


@pytest.mark.long
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_an_exercise_on_a_copy_that_does_not_fit_is_not_passed(run: Run, tmp_path: Path) -> None:
    run("init")
    url = tomllib.loads((tmp_path / "config.toml").read_text())["storage"]["url"]
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as data, data:
        data.execute("DELETE FROM audit_entry WHERE leaf_index = 2")

    held = run("drill", "-o", str(tmp_path / "drill.html"), "--locale", "de")

    assert held.status == 1
    assert "fitting: FAILED" in held.err
    assert "Die Übung wurde nicht bestanden." in (tmp_path / "drill.html").read_text()
