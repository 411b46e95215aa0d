"""Papers that are written as a whole: what a line is, the template says and no value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.look import resources, written
from gateway.look.papers import Facts, Heading, Listing, Table, Words
from gateway.look.translations import languages

FOLDER = resources.templates() / "papers"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/en.md"))
_PLACES = re.compile(r"\{\{.*?\}\}")


def test_lines_become_blocks() -> None:
    lines = ["## One", "### Two", "words", "> typed", "- a", "- b", "n :: v", "| h | i", "| 1 | 2"]

    assert list(written.blocks_of(lines)) == [
        Heading("One"),
        Heading("Two", 2),
        Words("words"),
        Words("typed"),
        Listing(["a", "b"]),
        Facts([("n", "v")]),
        Table(["h", "i"], [["1", "2"]]),
    ]


def test_a_table_without_a_row_is_none() -> None:
    assert list(written.blocks_of(["| h | i"])) == []


@pytest.mark.parametrize(
    "typed", ["# x", "- x", "a | b", "a :: b", "## x\n\n- y", "x\r\n| y |", "a\u2028b :: c"]
)
def test_what_somebody_typed_is_text_whatever_it_looks_like(typed: str) -> None:
    shown = written._value(typed)
    (words,) = written.blocks_of([f"> {shown}"])
    (table,) = written.blocks_of(["| head", f"| {shown}"])
    (fact,) = written.blocks_of([f"name :: {shown}"])
    text = " ".join(typed.split())

    assert words == Words(text)
    assert table == Table(["head"], [[text]])
    assert fact == Facts([("name", text)])


def test_what_a_value_says_may_not_be_parted_is_not() -> None:
    quoted = "«\u00a0newsletter\u00a0»\u202f; 3\tans"

    assert written._value(quoted) == "«\u00a0newsletter\u00a0»\u202f; 3 ans"


def lines_of(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith(("{#", "{%"))]


def of_jinja(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line.startswith("{%") and not line.startswith("{% set")]


@pytest.mark.parametrize("name", NAMES)
def test_each_language_of_a_paper_says_the_same_line_by_line(name: str) -> None:
    english, *others = (FOLDER / name / f"{language}.md" for language in languages())

    def said(path: Path) -> list[object]:
        return [(written._kind(line), sorted(_PLACES.findall(line))) for line in lines_of(path)]

    for path in others:
        assert said(path) == said(english)
        assert of_jinja(path) == of_jinja(english)
