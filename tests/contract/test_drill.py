"""`gateway drill`: the yearly exercise, as the operator runs it."""

from __future__ import annotations

import sqlite3
import tempfile
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from gateway.backups import folders
from gateway.errors import BackupError
from gateway.look.exercise_page import SAID
from gateway.process import drill
from tests.support.commands import Run

BOTH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@pytest.mark.long
@BOTH
@pytest.mark.usefixtures("initialised")
def test_an_exercise_shows_that_nobody_comes_back(run: Run, tmp_path: Path) -> None:
    place, page = tmp_path / "backups", tmp_path / "drill.html"
    assert run("backup", str(place)).status == 0

    held = run("drill", str(place), "-o", str(page), "--locale", "de")
    again = run("drill", "-o", str(page), "--force")

    assert (held.status, again.status) == (0, 0)
    assert held.err.splitlines() == [f"yes  {SAID[one]}" for one in drill.Shown]
    said = page.read_text()
    assert "The exercise was passed." in said
    assert "drill.invalid" not in said
    assert sorted(one.name[:7] for one in place.iterdir()) == [".lock", "backup-"]
    assert run("audit", "verify").status == 0
    assert run("status", "--json").json["audit"]["pending"] == 2  # that each was held


@pytest.mark.long
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("initialised")
def test_an_exercise_on_a_copy_that_does_not_fit_is_not_passed(run: Run, tmp_path: Path) -> None:
    url = tomllib.loads((tmp_path / "config.toml").read_text())["storage"]["url"]
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as data, data:
        data.execute("DELETE FROM audit_entry WHERE leaf_index = 2")

    held = run("drill", "-o", str(tmp_path / "drill.html"), "--locale", "de")

    assert held.status == 1
    assert f"NO   {SAID['fitting']}" in held.err
    assert "Die Übung wurde nicht bestanden." in (tmp_path / "drill.html").read_text()


def test_the_page_of_an_earlier_exercise_is_not_written_over(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "drill.html"
    page.write_text("last year's")

    refused = run("drill", "-o", str(page))

    assert refused.status == 1
    assert "is there already: give -o another name, or --force" in refused.err
    assert page.read_text() == "last year's"


@BOTH
def test_what_a_killed_exercise_left_goes_with_the_next_one(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, page = tmp_path / "passing", tmp_path / "drill.html"
    left = place / "gateway-drill-killed"
    (left / "backup-20260101T000000.000Z").mkdir(parents=True)
    (left / "backup-20260101T000000.000Z" / "data.rows.gz").write_bytes(b"in the clear")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    run("init")

    async def refuse(*_: object) -> None:
        raise BackupError("no")

    monkeypatch.setattr(drill, "hold", refuse)
    assert run("drill", "-o", str(page)).status == 1

    assert list(place.iterdir()) == []


def test_an_exercise_leaves_another_one_and_what_is_not_its_own_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "passing"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "passing").mkdir()
    (tmp_path / "passing" / "gateway-drill-link").symlink_to(elsewhere)

    with folders.passing("gateway-drill-") as one, folders.passing("gateway-drill-") as other:
        assert one.is_dir() and other.is_dir()
    assert elsewhere.is_dir()
