"""No pattern is shown to whoever wrote what does not fit it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.http.fields import CaseNumber
from gateway.http.parsing import field_errors
from storage import patterns

_HERE = Path(__file__).parents[2]
_USED = re.compile(r"(?<![a-z_])pattern=([^,)]+)")


def test_each_pattern_that_a_value_must_fit_has_words() -> None:
    sources = [one.read_text("utf-8") for one in (_HERE / "gateway").rglob("*.py")]
    used = {one for source in sources for one in _USED.findall(source)}
    known = {name for name, one in vars(patterns).items() if str(one).startswith("^")}

    assert used == {"_LINE", *(f"patterns.{name}" for name in known - {"LINE"})}
    assert [name for name in known if "written" in patterns.in_words(getattr(patterns, name))] == []


@pytest.mark.parametrize("wrong", ["nobody", "ada@example.org 1"])
def test_who_writes_a_case_number_that_is_none_is_told_what_one_looks_like(wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(CaseNumber).validate_python(wrong)

    (told,) = field_errors(caught.value)

    assert told.detail == (
        "must be letters, digits and . _ / : + = -, with at least one digit, at most 64"
    )
