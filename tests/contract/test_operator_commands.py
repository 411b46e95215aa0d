"""`gateway doctor`, `gateway status`, `gateway keys status`, as the operator runs them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.support.commands import Ran, Run


def levels(examined: Ran, about: str) -> set[str]:
    return {one["level"] for one in examined.json if one["about"] == about}


def test_the_doctor_of_a_new_gateway_finds_no_failure(run: Run, dialect: str) -> None:
    run("init")

    examined = run("doctor", "--json")

    failing = [one for one in examined.json if one["level"] == "fail"]
    if dialect == "postgresql":  # the tests' server forgoes its disk
        failing = [one for one in failing if "is off: a power loss" not in one["text"]]
    assert failing == []
    assert examined.status == (1 if dialect == "postgresql" else 0)
    assert {"ok"} == levels(examined, "keyring") == levels(examined, "keys")
    assert "warn" in levels(examined, "guard")


def test_every_line_that_is_not_well_says_what_to_do(run: Run) -> None:
    run("init")

    for one in run("doctor", "--json").json:
        assert bool(one["fix"]) is (one["level"] != "ok"), one


def test_before_init_the_doctor_names_what_is_missing_and_makes_nothing(
    run: Run, folder: Path, dialect: str
) -> None:
    before = sorted(folder.rglob("*"))

    examined = run("doctor", "--json")

    assert examined.status == 1
    assert levels(examined, "keyring") == {"fail"}
    assert "fail" in levels(examined, "data")
    if dialect == "sqlite":
        assert sorted(folder.rglob("*")) == before


def test_a_wrong_configuration_is_the_only_thing_the_doctor_speaks_of(
    run: Run, folder: Path
) -> None:
    file = folder / "config.toml"
    file.write_text(file.read_text().replace("permit_ttl", "permit_tll"))

    examined = run("doctor", "--json")

    assert examined.status == 1
    assert {one["about"] for one in examined.json} == {"configuration"}
    assert "delivery.permit_tll" in examined.out


def test_a_keyring_of_another_gateway_fails(run: Run, folder: Path, tmp_path: Path) -> None:
    run("init")
    ring = folder / "var/keyring.json"
    document = json.loads(ring.read_text())
    document["keks"] = {"7": document["keks"]["1"]}
    document["active_kek"] = 7
    ring.write_text(json.dumps(document))

    assert levels(run("doctor", "--json"), "keys") == {"fail"}


def test_the_doctor_speaks_to_people_too(run: Run) -> None:
    run("init")

    said = run("doctor").out

    assert "ok    configuration" in said
    assert "→ " in said


def test_status_of_a_new_gateway_fits_one_screen(run: Run) -> None:
    run("init")

    shown = run("status")
    machine = run("status", "--json").json

    assert shown.status == 0
    assert len(shown.out.splitlines()) < 24
    assert max(map(len, shown.out.splitlines())) <= 80
    assert "none: nothing is delivered" in shown.out
    assert machine["outbox"]["by_status"] == {"queued": 0, "deferred": 0, "sending": 0}
    assert (machine["intake_waiting"], machine["audit"]["pending"]) == (0, 1)


def test_the_key_epochs_are_shown_and_none_is_due(run: Run) -> None:
    run("init")

    (epoch,) = run("keys", "status", "--json").json

    assert (epoch["epoch"], epoch["state"], epoch["in_keyring"]) == (1, "active", True)
    assert epoch["rotation_due"] is False
    assert run("keys", "status").out.splitlines()[1].split()[:2] == ["1", "active"]


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

    (epoch,) = run("keys", "status", "--json").json

    assert epoch["rotation_due"] is True
    assert levels(run("doctor", "--json"), "keys") == {"warn"}
