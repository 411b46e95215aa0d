"""The commands, on both databases, run as the operator runs them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from gateway import cli
from gateway.cli import main
from tests.support.commands import Run


def test_upgrading_says_what_it_did(run: Run) -> None:
    first = run("db", "upgrade")
    second = run("db", "upgrade")

    assert (first.status, first.err.count("upgraded")) == (0, 3)
    assert (second.status, second.err.count("is current")) == (0, 3)


@pytest.mark.usefixtures("initialised")
def test_dkim_records_are_shown_for_people_and_machines(run: Run) -> None:
    zone = run("dkim", "show").out
    (record,) = json.loads(run("dkim", "show", "--json").out)

    assert record["sender"] == "acme"
    assert record["name"] == f"{record['selector']}._domainkey.acme.example"
    assert (record["type"], record["value"][:16]) == ("TXT", "v=DKIM1; k=rsa; ")
    assert record["value"] == "".join(zone.splitlines()[1].split('"')[1::2])


@pytest.mark.usefixtures("initialised")
def test_a_key_for_the_live_log_is_refused_and_not_passed_over(run: Run) -> None:
    refused = run("audit", "verify", "--key", "whoever+00000000+AAAA")

    assert (refused.status, refused.out) == (2, "")
    assert "--bundle" in refused.err


@pytest.mark.parametrize(
    "command", [("api-key", "list"), ("dkim", "show"), ("texts", "list")], ids=" ".join
)
def test_before_init_a_command_says_what_is_missing(run: Run, command: tuple[str, ...]) -> None:
    before = run(*command)

    assert before.status == 1
    assert "gateway init" in before.err


@pytest.mark.parametrize(
    ("command", "way_out"),
    [
        (("audit", "verify", "--bundle"), "give --bundle a file"),
        (("audit", "verify", "--checkpoint"), "give --checkpoint a file"),
        (("audit", "export", "-o"), "give -o a file"),
        (("demo", "--directory"), "give --directory a folder"),
        (("backup",), "name a folder of yours"),
        (("restore",), "give the DIR where backups lie"),
        (("defend",), "give a mail as a file"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
@pytest.mark.usefixtures("initialised")
def test_a_path_that_cannot_be_opened_is_named_with_what_to_do(
    run: Run, tmp_path: Path, command: tuple[str, ...], way_out: str
) -> None:
    file = tmp_path / "file"
    file.touch()

    refused = run(*command, str(file / "in it"))

    assert (refused.status, refused.out) == (1, "")
    *_, said = refused.err.splitlines()  # the demo may have told that its ports are taken
    assert f"{file / 'in it'} cannot be " in said
    assert way_out in said


def test_a_configuration_that_is_not_there_is_named_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["status", "--config", str(tmp_path / "none.toml")])

    said = capsys.readouterr().err
    assert f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory" in said
    assert "--config" in said


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


def _pages(command: Any, path: Sequence[str] = ()) -> Iterator[list[str]]:
    yield [*path]
    for name, below in getattr(command, "commands", {}).items():
        yield from _pages(below, [*path, name])


def test_nothing_is_cut_off_in_any_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = {}

    for arguments in _pages(get_command(cli.app)):
        with pytest.raises(SystemExit):
            main([*arguments, "--help"])
        shown[" ".join(arguments)] = capsys.readouterr().out

    lines = [(page, line) for page, said in shown.items() for line in said.splitlines()]
    assert len(shown) > 50
    assert [one for one in lines if len(one[1]) > 80] == []
    assert [one for one in lines if re.search(r"\w(…|\.\.\.)( │)?$", one[1])] == []
    assert [one for one in lines if re.search(r"<(bool|str|path|int|list|%)", one[1])] == []
    assert [one for one in lines if "\\[" in one[1]] == []


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out == f"gateway {version('consent-gateway')}\n"


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    assert run("frobnicate").status == 2


def test_help_flows_and_examples_stand_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    with pytest.raises(SystemExit):
        main(["breach", "--help"])

    lines = [line.strip() for line in capsys.readouterr().out.partition("Options")[0].splitlines()]
    assert "gateway breach --case INC-8 --took exports --since 2026-11-20 -o laptop.pdf" in lines
    words = [line for line in lines[4:] if line and not line.startswith("gateway breach")]
    assert sum(len(line) < 50 for line in words) <= 3, "it breaks where our files break"
