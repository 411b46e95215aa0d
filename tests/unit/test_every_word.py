"""No sentence that people read states what no test has tried."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from gateway.look import resources
from gateway.look.claims import CLAIMS
from tests.support import words
from tests.unit.test_translations import used_messages

TESTS = Path(__file__).parents[1]
_PLACES = re.compile(r"\{\{.*?\}\}")
_CLAIM = re.compile(r"\{\{ claim\.([a-z_]+) \}\}")


def named_tests() -> set[str]:
    listed = {name for names in words.NOTICE_FACTS.values() for name in names}
    return listed | set(words.FACTS) | set(words.PAPER_FACTS.values())


def lines_of_notice(language: str) -> list[str]:
    """What of the built-in notice people read, line by line; jinja's own lines are none."""
    raw = (resources.templates() / "notice" / f"{language}.md").read_text("utf-8")
    lines = (line.strip() for line in raw.splitlines())
    return [line for line in lines if line and not line.startswith(("{#", "{%"))]


def found_in(line: str, beginnings: Iterable[str]) -> list[str]:
    return [one for one in beginnings if line.startswith(one)]


def functions(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def test_every_sentence_has_the_test_of_its_fact_or_states_none() -> None:
    stated = [one for sentences in words.FACTS.values() for one in sentences]
    known = [*stated, *words.NO_FACT]

    assert used_messages() - set(known) == set(), "name the test of its fact in words.py"
    assert set(known) - used_messages() == set(), "nobody reads these any more"
    assert len(known) == len(set(known)), "stands twice"


@pytest.mark.parametrize("name", sorted(named_tests()))
def test_the_test_of_a_sentence_is_there(name: str) -> None:
    file, _, test = name.partition("::")

    assert test in set(functions(TESTS / file))


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_claim_of_the_notice_is_in_the_register_and_has_the_test_of_its_fact(
    language: str,
) -> None:
    named = [claim for line in lines_of_notice(language) for claim in _CLAIM.findall(line)]

    assert sorted(named) == sorted(CLAIMS), "once each"
    assert words.NOTICE_FACTS.keys() == CLAIMS.keys()
    assert all(words.NOTICE_FACTS.values())


def test_every_other_line_of_the_notice_states_no_fact() -> None:
    lines = [line for line in lines_of_notice("en") if not _CLAIM.search(line)]
    plain = {line: found_in(line, words.NOTICE_NO_FACT) for line in lines}

    assert [line for line in lines if len(plain[line]) != 1] == []
    assert {one for found in plain.values() for one in found} == {*words.NOTICE_NO_FACT}


def test_nothing_stands_before_the_claim_of_a_line() -> None:
    """It would be said under no name, and checked by nobody."""
    for language in ("en", "de"):
        claiming = [one for one in lines_of_notice(language) if _CLAIM.search(one)]
        assert {_CLAIM.split(line)[0] for line in claiming} <= {"", "- ", "> "}


def test_both_languages_of_the_notice_say_the_same_line_by_line() -> None:
    english, german = (
        [(_mark(line), sorted(_PLACES.findall(line))) for line in lines_of_notice(language)]
        for language in ("en", "de")
    )

    assert english == german


def _mark(line: str) -> str:
    first, _, _ = line.partition(" ")
    return first if first in ("#", "##", "-", ">") else ""


@pytest.mark.parametrize(
    "advertised",
    ["in one click", "one click is enough", "Mit einem Klick", "mit einem Klick", "one click"],
)
def test_no_sentence_takes_a_link_and_a_button_for_one_click(advertised: str) -> None:
    catalogue = resources.catalogues() / "de" / "LC_MESSAGES" / "messages.po"
    readme = Path(__file__).parents[2] / "README.md"

    assert advertised not in catalogue.read_text("utf-8")
    assert advertised not in readme.read_text("utf-8")
