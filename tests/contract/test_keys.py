"""`gateway keys status`, as the operator runs it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.support.commands import Run, levels


@pytest.mark.usefixtures("initialised")
def test_the_key_epochs_are_shown_and_none_is_due(run: Run) -> None:
    (epoch,) = run("keys", "status", "--json").json["epochs"]

    assert (epoch["epoch"], epoch["state"], epoch["in_keyring"]) == (1, "active", True)
    assert epoch["rotation_due"] is False
    assert run("keys", "status").out.splitlines()[1].split()[:2] == ["1", "active"]


@pytest.mark.usefixtures("initialised")
def test_the_other_keys_are_shown_by_kind_and_number(run: Run) -> None:
    kinds = run("keys", "status", "--json").json["keys"]

    assert kinds["rows"] == [{"kid": 1, "state": "active", "waits_for": None}]
    assert "rows" in run("keys", "status").out


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.usefixtures("initialised")
def test_an_epoch_older_than_the_configuration_says_is_due(run: Run, folder: Path) -> None:
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


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.usefixtures("initialised")
def test_a_rotation_is_begun_finished_and_not_called_done_before_it_is(
    run: Run, folder: Path
) -> None:
    ring = folder / "var/keyring.json"

    begun = run("keys", "rotate")
    again = run("keys", "rotate", "--json").json  # begins no third one

    assert "epoch 2 is announced. Copy the keyring now" in begun.out
    assert "recoverable from copies until a backup of the key store" in begun.out
    assert again["begun"] is None
    assert [one["state"] for one in again["epochs"]] == ["retiring", "active"]
    assert json.loads(ring.read_text())["keks"].keys() == {"1", "2"}
    assert "warn" in levels(run("doctor", "--json"), "keys")

    declared = run("keys", "rotate", "--no-backups-exist", "--json").json

    assert declared["epochs"][0]["recoverable_until"].startswith("the copies of keyrings")
    assert json.loads(ring.read_text())["keks"].keys() == {"2"}

    run("keys", "rotate", "--copies-replaced")

    first, second = run("keys", "status", "--json").json["epochs"]
    assert (first["state"], first["recoverable_until"]) == ("destroyed", None)
    assert (second["state"], second["data_keys"]) == ("active", 0)
    assert levels(run("doctor", "--json"), "keys") == {"ok"}
    assert run("keys", "rotate", "--json").json["begun"] == 3


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.usefixtures("initialised")
def test_a_machine_with_an_old_keyring_begins_nothing(run: Run, folder: Path) -> None:
    ring = folder / "var/keyring.json"
    old = ring.read_bytes()
    run("keys", "rotate")
    ring.write_bytes(old)

    refused = run("keys", "rotate")

    assert refused.status == 1
    assert "lacks epoch 2" in refused.err
    assert ring.read_bytes() == old


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.usefixtures("initialised")
def test_a_keyring_that_is_a_variable_is_followed_by_what_the_operator_puts_there(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, ring = folder / "config.toml", folder / "var/keyring.json"
    monkeypatch.setenv("TEST_KEYRING", ring.read_text())
    said = config.read_text().replace(
        'keyring_file = "var/keyring.json"', 'keyring_env = "TEST_KEYRING"'
    )
    config.write_text(said)
    ring.unlink()

    refused = run("keys", "rotate")
    run("keys", "rotate", "--keyring-out", str(folder / "next.json"))
    monkeypatch.setenv("TEST_KEYRING", (folder / "next.json").read_text())
    begun = run("keys", "rotate", "--json").json

    assert refused.status == 1
    assert "--keyring-out" in refused.err
    assert (begun["begun"], [one["state"] for one in begun["epochs"]]) == (
        2,
        ["retiring", "active"],
    )
    assert (folder / "next.json").stat().st_mode & 0o777 == 0o600
    assert levels(run("doctor", "--json"), "keyring") == {"ok"}

    run("keys", "rotate", "--no-backups-exist")
    run("keys", "rotate", "--keyring-out", str(folder / "last.json"))
    assert json.loads((folder / "last.json").read_text())["keks"].keys() == {"2"}


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.usefixtures("initialised")
def test_a_key_of_another_kind_is_begun_and_says_what_it_waits_for(run: Run, folder: Path) -> None:
    ring = folder / "var/keyring.json"
    old = ring.read_bytes()

    begun = run("keys", "rotate", "--kind", "rows")
    again = run("keys", "rotate", "--kind", "rows", "--json").json
    unknown = run("keys", "rotate", "--kind", "nothing")

    assert "rows 2 is announced. Copy the keyring now" in begun.out
    assert "rows 1 is retiring: rests until" in begun.out
    assert again["begun"] is None
    assert [one["state"] for one in again["keys"]] == ["retiring", "active"]
    shown = run("keys", "status", "--json").json["keys"]
    assert [one["state"] for one in shown["rows"]] == ["retiring", "active"]
    assert "rests until" in run("keys", "status").out
    assert (unknown.status, "is one of kek, audit" in unknown.err) == (2, True)

    ring.write_bytes(old)
    refused = run("keys", "rotate", "--kind", "web")
    assert refused.status == 1
    assert "this keyring lacks rows 2" in refused.err


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.usefixtures("initialised")
def test_the_next_keyring_of_another_kind_is_written_for_a_secret(run: Run, folder: Path) -> None:
    run("keys", "rotate", "--kind", "web", "--keyring-out", str(folder / "next.json"))

    keys = json.loads((folder / "next.json").read_text())["sets"]["web"]
    assert [key["state"] for key in keys] == ["active", "announced"]
