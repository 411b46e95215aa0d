"""The commands, on both databases, run as the operator runs them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.keyfiles import keyring
from tests.support.commands import Run


def test_init_makes_everything_and_repeating_it_makes_nothing(run: Run, folder: Path) -> None:
    first = run("init")
    made = keyring.load(folder / "var/keyring.json")
    second = run("init")

    assert (first.status, second.status) == (0, 0)
    assert first.err.count("made: ") == 7
    assert "made: " not in second.err
    assert keyring.load(folder / "var/keyring.json") == made


def test_keys_on_disk_are_the_owners_alone(run: Run, folder: Path) -> None:
    run("init")

    files = [folder / "var/keyring.json", *(folder / "var/dkim").rglob("*.pem")]

    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_lost_keyring_is_not_replaced_by_a_new_one(run: Run, folder: Path) -> None:
    run("init")
    (folder / "var/keyring.json").unlink()

    again = run("init")

    assert again.status == 1
    assert "restore its backup" in again.err
    assert not (folder / "var/keyring.json").exists()


def test_init_that_stopped_half_way_is_continued(run: Run, folder: Path) -> None:
    keyring.create(folder / "var/keyring.json")

    assert run("init").status == 0
    assert run("api-key", "list").status == 0


def test_upgrading_says_what_it_did(run: Run) -> None:
    first = run("db", "upgrade")
    second = run("db", "upgrade")

    assert (first.status, first.err.count("upgraded")) == (0, 3)
    assert (second.status, second.err.count("is current")) == (0, 3)


def test_an_api_key_is_printed_once_and_alone(run: Run) -> None:
    run("init")

    created = run("api-key", "create", "--name", "shop", "--scope", "messages:send")
    listed = run("api-key", "list", "--json")

    assert created.status == 0
    assert created.out.startswith("cgw_")
    assert len(created.out.split()) == 1
    (key,) = json.loads(listed.out)
    assert (key["name"], key["scopes"], key["revoked_at"]) == ("shop", ["messages:send"], None)
    assert created.out.strip() not in listed.out


def test_a_revoked_key_is_listed_as_such(run: Run) -> None:
    run("init")
    run("api-key", "create", "--name", "shop", "--scope", "messages:send", "--sender", "acme")
    (key,) = json.loads(run("api-key", "list", "--json").out)

    revoked = run("api-key", "revoke", key["id"])
    again = run("api-key", "revoke", key["id"])

    assert (revoked.status, again.status) == (0, 1)
    assert "revoked 2" in run("api-key", "list").out


@pytest.mark.parametrize(
    "wrong",
    [
        ("--scope", "messages:read"),
        ("--scope", "messages:send", "--sender", "nobody"),
        ("--scope", "messages:send", "--purpose", "nothing"),
        (),
    ],
    ids=["unknown scope", "unknown sender", "unknown purpose", "no scope"],
)
def test_a_key_for_nothing_that_exists_is_a_usage_error(run: Run, wrong: tuple[str, ...]) -> None:
    run("init")

    assert run("api-key", "create", "--name", "shop", *wrong).status == 2
    assert json.loads(run("api-key", "list", "--json").out) == []


def test_dkim_records_are_shown_for_people_and_machines(run: Run) -> None:
    run("init")

    zone = run("dkim", "show").out
    (record,) = json.loads(run("dkim", "show", "--json").out)

    assert record["sender"] == "acme"
    assert record["name"] == f"{record['selector']}._domainkey.acme.example"
    assert (record["type"], record["value"][:16]) == ("TXT", "v=DKIM1; k=rsa; ")
    assert record["value"] == "".join(zone.splitlines()[1].split('"')[1::2])


def test_texts_are_listed_and_an_unknown_one_is_not_retired(run: Run) -> None:
    run("init")

    listed = run("texts", "list", "--json")
    retired = run("texts", "retire", "sha256:" + "0" * 64)

    assert (listed.status, json.loads(listed.out)) == (0, [])
    assert (retired.status, retired.out) == (1, "")


@pytest.mark.parametrize(
    "command", [("api-key", "list"), ("dkim", "show"), ("texts", "list")], ids=" ".join
)
def test_before_init_a_command_says_what_is_missing(run: Run, command: tuple[str, ...]) -> None:
    before = run(*command)

    assert before.status == 1
    assert "gateway init" in before.err


def test_a_wrong_configuration_is_named_line_by_line(run: Run, folder: Path) -> None:
    file = folder / "config.toml"
    file.write_text(file.read_text().replace("permit_ttl", "permit_tll").replace("2525", "x"))

    refused = run("init")

    assert refused.status == 1
    assert "delivery.permit_tll: is not a setting" in refused.err
    assert "delivery.inbox.smtp: write host and port" in refused.err
    assert not (folder / "var").exists()


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["init", "--help"], ["api-key", "create", "--help"], ["db", "--help"]],
    ids=" ".join,
)
def test_help_is_everywhere(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments)

    assert exited.value.code == 0
    assert "Usage" in capsys.readouterr().out


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    assert run("frobnicate").status == 2
