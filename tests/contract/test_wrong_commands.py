"""A wrong call is told its place and the way out: no traceback, no file or line of ours."""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import _program, main
from tests.support.commands import Run

_OURS = re.compile(r"Traceback|\.py\b|\bat \w+(/\w+)+:\d")
_NO_TEXT = "\udcff"  # a byte that is none, as Python hands it over
_CASE = ("--case", "2026-1", "--reason", "a letter")


@pytest.fixture
def dialect() -> str:
    return "sqlite"  # what is refused here is refused before any database matters


def commands(group: Any = None, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, one in (group or _program()).commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, (*names, name))
        else:
            yield (*names, name)


def test_no_command_knows_an_option_that_there_is_not(run: Run) -> None:
    for command in commands():
        refused = run(*command, "--no-such")

        assert (refused.status, refused.out) == (2, ""), command
        assert "--no-such" in refused.err
        assert not _OURS.search(refused.err)


@pytest.mark.usefixtures("initialised")
def test_a_wrong_call_is_told_its_place_and_the_way_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere, paper = (str(tmp_path / "file" / name) for name in ("in it", "in it.pdf"))
    mail = tmp_path / "mail.eml"
    mail.write_text("Subject: x\n\nx\n")
    cannot = "cannot be written: Not a directory; give -o a file"
    written = f"{nowhere} {cannot}"
    wrong: list[tuple[tuple[str, ...], int, str]] = [
        (("erasures", "show", _NO_TEXT), 2, "an argument is no text in UTF-8; write it anew"),
        (("backup", nowhere), 1, "name a folder of yours, with room"),
        (("drill", "-o", nowhere), 1, written),
        (("breach", "--case", "INC-7", "--took", "data", "-o", paper), 1, f"{paper} {cannot}"),
        (("defend", str(mail), "-o", paper), 1, f"{paper} {cannot}"),
        (("audit", "evidence", "con_x", "--reason", "a letter", "-o", nowhere), 1, written),
        (("audit", "export", "-o", nowhere), 1, written),
        (("campaign", "show", "cmp_x"), 1, "no such campaign; `gateway campaign list` has them"),
        (("api-key", "create", "--name", "a", "--scope", "all"), 2, "there is no scope all; known"),
        (("forms", "snippet", "none"), 1, "there is no form none; there are: newsletter"),
    ]

    for arguments, status, told in wrong:
        refused = run(*arguments)

        said = " ".join(re.sub("[│╭╮╰╯─]", "", refused.err).split())
        assert (refused.status, refused.out) == (status, ""), arguments
        assert told in said, arguments
        assert not _OURS.search(refused.err), arguments
    assert not (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("raw", [b"\xff\xfe\n", b"nobody\n", b""], ids=["bytes", "none", "empty"])
@pytest.mark.usefixtures("initialised")
def test_what_stdin_has_is_named_as_stdin(
    run: Run, monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    for command in (
        ("erase", "--email-stdin", "--yes"),
        ("evidence", "open", *_CASE),
        ("operator", "create", "--role", "dpo", "--name", "privacy"),
        ("audit", "export", "--subject-stdin", "--reason", "a letter", "-o", "-"),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), "utf-8"))
        refused = run(*command)

        assert (refused.status, refused.out) == (1, ""), command
        assert refused.err.startswith("stdin "), command
        assert not _OURS.search(refused.err)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("[server", "config.toml: is not TOML: "),
        ('[storage]\nurl_env = "NO_SUCH"\n', "storage.url_env: the variable NO_SUCH is not set"),
        ('[delivery.relay]\npassword_file = "none"\n', "delivery.relay.password_file: "),
    ],
    ids=["no TOML", "no variable", "no file"],
)
def test_a_configuration_that_cannot_be_had_is_named_by_file_or_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: str, told: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(raw)

    with pytest.raises(SystemExit):
        main(["status", "--config", str(file)])

    said = capsys.readouterr().err
    assert told in said
    assert not _OURS.search(said)


def test_a_demo_whose_ports_are_taken_names_the_way_to_others(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = min(taken.getsockname()[1], 65531)
        folder = tmp_path / "new" / "demo"
        refused = run("demo", "--directory", str(folder), "--port", str(port))

    assert not folder.parent.exists()  # nobody has to delete what never ran
    assert (refused.status, refused.out) == (1, "")
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in refused.err
    assert "`make run PORT=9000`, `gateway demo --port 9000`" in refused.err
