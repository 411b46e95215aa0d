"""`gateway keys status`, as the operator runs it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.support.commands import Run, levels


def test_the_key_epochs_are_shown_and_none_is_due(run: Run) -> None:
    run("init")

    (epoch,) = run("keys", "status", "--json").json["epochs"]

    assert (epoch["epoch"], epoch["state"], epoch["in_keyring"]) == (1, "active", True)
    assert epoch["rotation_due"] is False
    assert run("keys", "status").out.splitlines()[1].split()[:2] == ["1", "active"]


def test_the_other_keys_are_shown_by_kind_and_number(run: Run) -> None:
    run("init")

    kinds = run("keys", "status", "--json").json["keys"]

    assert kinds["rows"] == [{"kid": 1, "state": "active"}]
    assert "rows" in run("keys", "status").out


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_an_epoch_older_than_the_configuration_says_is_due(run: Run, folder: Path) -> None:
    run("init")
    (url,) = [
        line.split('"')[1].removeprefix("sqlite:///")
        for line in (folder / "config.toml").read_text().splitlines()
        if line.startswith("keystore_url")
    ]
    with sqlite3.connect(url) as database:
        database.execute("UPDATE kek_epoch SET since = '2020-01-01T00:00:00.000000Z'")
    database.close()

    (epoch,) = run("keys", "status", "--json").json["epochs"]

    assert epoch["rotation_due"] is True
    assert levels(run("doctor", "--json"), "keys") == {"warn"}
