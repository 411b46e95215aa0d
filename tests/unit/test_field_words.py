from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from gateway.config.form_fields import FormField
from gateway.look import field_words

OPTIONS = {"dev": {"en": "Development", "fr": "Développement"}, "in_house": {}}


def field(kind: str, **more: Any) -> FormField:
    return FormField.model_validate({"kind": kind, **more})


@pytest.mark.parametrize(
    ("asked", "answer", "locale", "words"),
    [
        (None, "as typed", "en", "as typed"),
        (None, "a\nb", "en", "a, b"),
        (field("choice", options=OPTIONS), "dev", "fr", "Développement"),
        (field("choice", options=OPTIONS), "in_house", "fr", "In house"),
        (field("choice", options=OPTIONS), "gone", "en", "Gone"),
        (field("multiple_choice", options=OPTIONS), "dev\nin_house", "en", "Development, In house"),
        (field("checkbox"), "yes", "de", "Ja"),
        (field("checkbox"), "typed before", "de", "typed before"),
        (field("date"), "2026-03-31", "fr", "31 mars 2026"),
        (field("date"), "in March", "fr", "in March"),
        (field("number"), "7", "en", "7"),
    ],
    ids=str,
)
def test_an_answer_is_read_in_the_words_in_which_the_form_asks(
    asked: FormField | None, answer: str, locale: str, words: str
) -> None:
    assert field_words.in_words(asked, answer, locale) == words


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (field("number"), None),
        (field("number", min=1), "≥ 1"),
        (field("number", max=1e5), "≤ 100000.0"),
        (field("number", min=-1, max=0.5), "-1 – 0.5"),
        (field("date", min=date(2026, 1, 1)), "≥ 1. Januar 2026"),
    ],
    ids=str,
)
def test_a_range_is_said_in_signs(asked: FormField, said: str | None) -> None:
    assert field_words.range_of(asked, "de") == said


def test_what_is_not_offered_any_more_can_be_left_as_it_is() -> None:
    made = field_words.control(field("choice", options=OPTIONS), "role", "en", "gone")

    assert [one["value"] for one in made["options"]] == ["dev", "in_house", "gone"]
    assert made["chosen"] == ["gone"]


@pytest.mark.parametrize(("decimals", "step"), [(0, "1"), (2, "0.01"), (6, "0.000001")])
def test_a_number_has_steps_of_its_decimals(decimals: int, step: str) -> None:
    assert field_words.control(field("number", decimals=decimals), "n", "en")["step"] == step
