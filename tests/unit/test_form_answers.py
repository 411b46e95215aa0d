from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from gateway.config.form_fields import FormField
from gateway.errors import Flaw
from gateway.http import form_answers
from gateway.http.form_answers import Wrong

ROLE = {"developer": {}, "owner": {}, "other": {}}


def field(kind: str, **more: Any) -> FormField:
    return FormField.model_validate({"kind": kind, **more})


@pytest.mark.parametrize(
    ("asked", "said", "kept"),
    [
        (field("text"), "Ada", "Ada"),
        (field("text"), " \u200b", ""),
        (field("choice", options=ROLE), "owner", "owner"),
        (field("choice", options=ROLE), "", ""),
        (field("hidden", options=["spring"]), "spring", "spring"),
        (field("multiple_choice", options=ROLE), ("other", "developer"), "developer\nother"),
        (field("multiple_choice", options=ROLE), ("other", "other", ""), "other"),
        (field("multiple_choice", options=ROLE), "owner", "owner"),
        (field("multiple_choice", options=ROLE), (), ""),
        (field("number"), 7, "7"),
        (field("number"), "007", "7"),
        (field("number"), "+7.0", "7"),
        (field("number"), "-0", "0"),
        (field("number", decimals=2), 1.5, "1.5"),
        (field("number", decimals=2), "1.50", "1.5"),
        (field("number", min=1, max=500), "500", "500"),
        (field("number", min=0.5, decimals=1), "0.5", "0.5"),
        (field("number"), "100", "100"),
        (field("date"), "2024-02-29", "2024-02-29"),
        (field("checkbox"), True, "yes"),
        (field("checkbox"), "on", "yes"),
        (field("checkbox"), "ON", "yes"),
        (field("checkbox"), False, ""),
        (field("checkbox"), "no", ""),
    ],
    ids=str,
)
def test_what_means_the_same_is_kept_in_one_spelling(
    asked: FormField, said: Any, kept: str
) -> None:
    assert form_answers.read(asked, said) == kept


@pytest.mark.parametrize(
    ("asked", "said", "flaw"),
    [
        (field("text", max_length=3), "Adas", Flaw.TOO_LONG),
        (field("text"), ("Ada",), Flaw.OTHER),
        (field("text"), 7, Flaw.OTHER),
        (field("choice", options=ROLE), "Owner", Flaw.NOT_OFFERED),
        (field("choice", options=ROLE), ("owner",), Flaw.OTHER),
        (field("hidden", options=["spring"]), "autumn", Flaw.NOT_OFFERED),
        (field("multiple_choice", options=ROLE), ("owner", "king"), Flaw.NOT_OFFERED),
        (field("multiple_choice", options=ROLE), "developer\nother", Flaw.NOT_OFFERED),
        (field("multiple_choice", options=ROLE), True, Flaw.OTHER),
        (field("number"), "seven", Flaw.NO_NUMBER),
        (field("number"), "1,000", Flaw.NO_NUMBER),
        (field("number"), "1e3", Flaw.NO_NUMBER),
        (field("number"), "\u0667", Flaw.NO_NUMBER),
        (field("number"), 1e300, Flaw.NO_NUMBER),
        (field("number"), 10**15, Flaw.NO_NUMBER),
        (field("number"), float("nan"), Flaw.NO_NUMBER),
        (field("number"), True, Flaw.NO_NUMBER),
        (field("number"), "1.5", Flaw.NO_NUMBER),
        (field("number", decimals=1), "1.55", Flaw.NO_NUMBER),
        (field("number", min=1), 0, Flaw.OUT_OF_RANGE),
        (field("number", max=0.5, decimals=2), "0.51", Flaw.OUT_OF_RANGE),
        (field("date"), "2023-02-29", Flaw.NO_DATE),
        (field("date"), "29.02.2024", Flaw.NO_DATE),
        (field("date"), "20240229", Flaw.NO_DATE),
        (field("date"), "2024-W01-1", Flaw.NO_DATE),
        (field("date"), 2024, Flaw.NO_DATE),
        (field("date", min=date(2026, 1, 1)), "2025-12-31", Flaw.OUT_OF_RANGE),
        (field("date", max=date(2026, 1, 1)), "2026-01-02", Flaw.OUT_OF_RANGE),
        (field("checkbox"), "maybe", Flaw.NOT_OFFERED),
        (field("checkbox"), 1.0, Flaw.NOT_OFFERED),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named_by_its_flaw_and_never_quoted(
    asked: FormField, said: Any, flaw: Flaw
) -> None:
    wrong = form_answers.read(asked, said)

    assert isinstance(wrong, Wrong)
    assert wrong.flaw is flaw
    assert not isinstance(said, str) or said not in wrong.detail


def test_every_wrong_field_is_named_and_what_was_left_empty_is_none() -> None:
    fields = {
        "role": field("choice", options=ROLE, required=True),
        "size": field("number"),
        "terms": field("checkbox", required=True),
        "town": field("text"),
    }

    kept, wrong = form_answers.read_all(fields, {"size": "x", "town": "", "terms": "no", "a": "b"})

    assert kept == {}
    named = [(one.pointer, one.flaw) for one in wrong]
    assert named == [
        ("/profile/role", Flaw.MISSING),
        ("/profile/size", Flaw.NO_NUMBER),
        ("/profile/terms", Flaw.MISSING),
        ("/profile", Flaw.OTHER),
    ]


def test_a_correction_may_empty_what_the_form_insists_on_and_leave_what_is_gone() -> None:
    fields = {name: field("choice", options=ROLE, required=True) for name in ("a", "b", "c", "d")}
    before = {"a": "owner", "b": "retired", "c": "owner", "d": "owner"}

    said = {"a": "", "b": "retired", "c": "king"}
    corrected, wrong = form_answers.read_corrections(fields, said, before)

    assert corrected == {"a": ""}
    assert [one.pointer for one in wrong] == ["/profile/c"]
