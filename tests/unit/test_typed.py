from __future__ import annotations

import io
import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import typer

from gateway.cli import typed


class Asking(io.StringIO):
    """A stderr; whoever reads a question on it answers."""

    def __init__(self, terminal: int, said: bytes) -> None:
        super().__init__()
        self.terminal, self.said = terminal, said

    def flush(self) -> None:
        os.write(self.terminal, self.said)


@pytest.mark.parametrize(("said", "yes"), [(b"y\n", True), (b"n\n", False)])
def test_what_was_typed_before_a_question_is_no_answer_to_it(
    monkeypatch: pytest.MonkeyPatch, said: bytes, yes: bool
) -> None:
    terminal, stdin = pty.openpty()
    os.write(terminal, b"gateway campaign show 1\n" if yes else b"y\n")  # pasted along
    monkeypatch.setattr(sys, "stderr", Asking(terminal, said))

    with os.fdopen(stdin, encoding="utf-8") as sitting, os.fdopen(terminal, "rb"):
        monkeypatch.setattr(sys, "stdin", sitting)
        agreed = typed.agrees("Make it?")

    assert agreed is yes


def test_what_stands_in_a_pipe_answers_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()
    os.write(writes, b"y\n")
    os.close(writes)

    with os.fdopen(reads, encoding="utf-8") as piped:
        monkeypatch.setattr(sys, "stdin", piped)
        assert typed.agrees("Make it?")


def test_where_stdin_is_closed_nobody_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gateway ... <&-`: Python has no stdin at all then."""
    monkeypatch.setattr(sys, "stdin", None)

    assert not typed.agrees("Make it?")
    assert typed.line_of_stdin() == ""
    assert capsys.readouterr().err == "Make it? [y/N]: \n"


@contextmanager
def sitting_at(monkeypatch: pytest.MonkeyPatch, said: bytes) -> Iterator[None]:
    """Stdin is a terminal at which this was typed, or pasted."""
    terminal, stdin = pty.openpty()
    os.write(terminal, said)
    with os.fdopen(stdin, encoding="utf-8") as sitting, os.fdopen(terminal, "rb"):
        monkeypatch.setattr(sys, "stdin", sitting)
        yield


@pytest.mark.parametrize(
    "said",
    ["ada@example.org", "ada@example.org\n", " ada@example.org\r\n", "\nada@example.org\n\n \n"],
    ids=["no end of the line", "one line", "of another system", "nothing around it"],
)
def test_one_line_is_taken_from_a_pipe(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))

    assert typed.line_of_stdin() == "ada@example.org"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ada@example.org\nbob@example.org\n", "stdin has 2 lines, and one is asked for"),
        ("ada@example.org\n\n\nbob@example.org\ny", "stdin has 3 lines, and one is asked for"),
        ("ada@example.org\n" * 10_000, "stdin has more than one line, and one is asked for"),
    ],
    ids=["two", "three", "a file"],
)
def test_of_several_lines_none_is_taken_and_none_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str, told: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))

    with pytest.raises(typer.Exit):
        typed.line_of_stdin()

    shown = capsys.readouterr().err
    assert shown.startswith(told)
    assert "ada" not in shown
    assert "bob" not in shown


def test_a_line_is_taken_from_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with sitting_at(monkeypatch, b"ada@example.org\n"):
        assert typed.line_of_stdin() == "ada@example.org"


def test_of_two_lines_pasted_at_a_terminal_none_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with sitting_at(monkeypatch, b"ada@example.org\nbob@example.org\n"), pytest.raises(typer.Exit):
        typed.line_of_stdin()

    assert "more than one line" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "it is empty"),
        ("Ada Lovelace <ada@example.org>", "is not of the form ada@example.org"),
        ("a" * 100_000, "has more than 254 characters"),
        ("a\u200bda@example.org", "are characters that nobody sees"),
        ("jürgen@example.org", "before the @ are letters that not every mail server takes"),
    ],
    ids=["nothing", "a name", "too long", "hidden", "letters"],
)
def test_what_is_wrong_with_an_address_is_said_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str, told: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))

    with pytest.raises(typer.Exit):
        typed.address_of_stdin()

    shown = capsys.readouterr().err
    assert shown.startswith("stdin has no address: ")
    assert told in shown
    assert "; give one alone, with nothing around it" in shown
    assert "Lovelace" not in shown


def test_somebody_is_named_by_an_id_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("sub_1\n"))
    assert typed.person_of_stdin().subject == "sub_1"

    monkeypatch.setattr(sys, "stdin", io.StringIO("Ada\n"))
    with pytest.raises(typer.Exit):
        typed.person_of_stdin()

    assert "or an id that begins with sub_" in capsys.readouterr().err
