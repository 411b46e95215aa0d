from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from consent.errors import KeyringBehind
from gateway.cli import talk
from gateway.errors import CannotListen, ConfigError, KeyFileError
from storage.errors import StorageAway


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)

    with talk.progress("verifying", 10) as advance:
        advance(5)

    assert "verifying" in screen.getvalue()


def test_progress_is_not_written_into_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)

    with talk.progress("verifying", 10) as advance:
        advance(5)

    assert file.getvalue() == ""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b" " * (16 * 1024 * 1024 + 1), "has more than 16 MiB; name a file of JSON"),
        (b"\xff\xfe\xff", "is no JSON"),
        (b"{", "is no JSON"),
    ],
)
def test_a_file_without_an_end_or_of_no_words_is_named(
    said: bytes, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "june.json"
    path.write_bytes(said)

    with pytest.raises(typer.Exit):
        talk.read_json(path)

    assert f"{path} {why}" in capsys.readouterr().err


@pytest.mark.parametrize(("speak", "screen"), [(talk.say, "stderr"), (talk.result, "stdout")])
def test_what_stands_in_a_row_commands_no_terminal(
    monkeypatch: pytest.MonkeyPatch, speak: Callable[[str], None], screen: str
) -> None:
    monkeypatch.setattr(sys, screen, Terminal())

    speak("key_\x1b[2J\x9b31m\rof nobody\tü\nnext")

    shown = getattr(sys, screen).getvalue()
    assert shown == "key_\\u001b[2J\\u009b31m\\u000dof nobody\tü\nnext\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyFileError("there is no keyring"), "gateway: there is no keyring"),
        (
            StorageAway("data"),
            "gateway: the data database is away; start it, or mend storage.url",
        ),
        (
            StorageAway("data", "there is no database of that name"),
            "gateway: the data database is away: there is no database of that name; make it (CREATE"
            " DATABASE; docs/operations.md, Install), or mend storage.url",
        ),
        (
            KeyringBehind([("suppression", 2)]),
            "gateway: keys that the keyring lacks: suppression 2; copy the newest keyring to this"
            " machine",
        ),
        (
            ConfigError(["server: is missing"]),
            "The configuration is not usable:\nserver: is missing",
        ),
        (
            ExceptionGroup("parts", [CannotListen("127.0.0.1", 8080, "in use", "server.listen")]),
            "gateway: cannot listen on 127.0.0.1:8080: in use; set another address: server.listen",
        ),
    ],
    ids=["ours", "storage", "no database", "keyring", "configuration", "of a part of a process"],
)
def test_our_errors_speak_for_themselves(error: Exception, told: str) -> None:
    assert talk.explain(error) == told


def test_other_errors_are_not_quoted() -> None:
    try:
        int("ada@example.org")
    except ValueError as error:
        told = talk.explain(error)

    assert told.startswith("gateway: ValueError at ")
    assert "ada" not in told


def test_a_table_is_as_wide_as_its_cells(capsys: pytest.CaptureFixture[str]) -> None:
    talk.table([("ID", "NAME"), ("key_1", "shop")])

    assert capsys.readouterr().out == "ID     NAME\nkey_1  shop\n"
