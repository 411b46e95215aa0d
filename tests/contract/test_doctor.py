"""`gateway doctor`, as the operator runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.keyfiles import keyring
from tests.support.commands import Run, levels


@pytest.mark.usefixtures("initialised")
def test_the_doctor_of_a_new_gateway_finds_no_failure(run: Run, dialect: str) -> None:
    examined = run("doctor", "--json")

    failing = [one for one in examined.json if one["level"] == "fail"]
    if dialect == "postgresql":  # the tests' server forgoes its disk
        failing = [one for one in failing if "is off: a power loss" not in one["text"]]
    assert failing == []
    assert examined.status == (1 if dialect == "postgresql" else 0)
    assert {"ok"} == levels(examined, "keyring") == levels(examined, "keys")
    assert "warn" in levels(examined, "guard")


@pytest.mark.usefixtures("initialised")
def test_every_line_that_is_not_well_says_what_to_do(run: Run) -> None:
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


@pytest.mark.usefixtures("initialised")
def test_a_keyring_of_another_gateway_fails(run: Run, folder: Path, tmp_path: Path) -> None:
    ring = folder / "var/keyring.json"
    document = json.loads(ring.read_text())
    document["keks"] = {"7": document["keks"]["1"]}
    document["active_kek"] = 7
    ring.write_text(json.dumps(document))

    assert levels(run("doctor", "--json"), "keys") == {"fail"}


@pytest.mark.usefixtures("initialised")
def test_a_lost_keyring_is_told_with_its_way_out_once(run: Run, folder: Path) -> None:
    (folder / "var/keyring.json").unlink()

    examined = run("doctor", "--json")

    found = [one for one in examined.json if one["about"] == "keyring"]
    assert str(found).count("restore its backup") == 1


@pytest.mark.usefixtures("initialised")
def test_a_lost_dkim_key_is_told_with_its_way_out_once(run: Run, folder: Path) -> None:
    for key in (folder / "var/dkim").rglob("*.pem"):
        key.unlink()

    examined = run("doctor", "--json")

    (found,) = (one for one in examined.json if one["about"] == "dkim")
    assert found["text"] == "there is no DKIM key for acme.example"
    assert str(found).count("gateway init") == 1


@pytest.mark.usefixtures("initialised")
def test_a_keyring_that_another_init_made_fails(run: Run, folder: Path, tmp_path: Path) -> None:
    """Its epoch has the same number, and so has everything else in it."""
    ring = folder / "var/keyring.json"
    other = tmp_path / "other.json"
    keyring.create(other)
    ring.write_bytes(other.read_bytes())

    examined = run("doctor", "--json")

    assert levels(examined, "keyring") == {"ok", "fail"}
    assert "did not sign what the guard holds" in examined.out


@pytest.mark.usefixtures("initialised")
def test_the_doctor_speaks_to_people_too(run: Run) -> None:
    said = run("doctor").out

    assert "ok    configuration" in said
    assert "→ " in said


@pytest.mark.usefixtures("initialised")
def test_holidays_that_nobody_knows_are_named_and_stop_a_start(run: Run, folder: Path) -> None:
    file = folder / "config.toml"
    where = 'country = "DE"\nsubdivision = "9"\ntime_zone = "Europe/Berlin"\n'
    file.write_text(file.read_text().replace("[rights]\n", f"[rights]\n{where}"))

    assert levels(run("doctor", "--json"), "calendar") == {"fail"}
    for command in (["serve"], ["worker"], ["erase", "--subject", "sub_1", "--yes"]):
        refused = run(*command)
        assert refused.status == 1
        assert "rights.subdivision: is none of DE" in refused.err
    file.write_text(file.read_text().replace('"9"', '"BE"'))
    assert levels(run("doctor", "--json"), "calendar") == {"ok"}
