"""Answers to a form: whether they fit its questions, and the one spelling in which they are kept.

Pure. Text, whatever was posted: a profile holds nothing else, and a campaign compares it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, assert_never

from consent.answers import joined
from gateway.config.form_fields import FieldKind, FormField
from gateway.errors import FieldError, Flaw
from gateway.http.fields import Said
from gateway.look.field_words import TICKED
from storage.words import is_blank

_NUMBER: Final = re.compile(r"[+-]?(?P<whole>\d{1,15})(?:\.(?P<part>\d{1,15}))?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ON: Final = (TICKED, "on", "true", "1")  # browsers say "on" of a box without a value
_OFF: Final = ("no", "off", "false", "0")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with an answer, without quoting it."""

    detail: str
    flaw: Flaw = Flaw.OTHER


def read_all(
    fields: Mapping[str, FormField], said: Mapping[str, Said]
) -> tuple[dict[str, str], list[FieldError]]:
    """The answers to be kept, and what is wrong with others; what was left empty is none."""
    kept, problems = {}, []
    for name, field in fields.items():
        answer = read(field, said.get(name, ""))
        if isinstance(answer, Wrong):
            problems.append(FieldError(f"/profile/{name}", answer.detail, answer.flaw))
        elif answer:
            kept[name] = answer
        elif field.required:
            problems.append(FieldError(f"/profile/{name}", "is required", Flaw.MISSING))
    if said.keys() - fields.keys():
        problems.append(FieldError("/profile", "has a field that this form does not ask for"))
    return kept, problems


def read_corrections(
    fields: Mapping[str, FormField], said: Mapping[str, Said], before: Mapping[str, str]
) -> tuple[dict[str, str], list[FieldError]]:
    """What somebody makes of their answers: "" removes one, even where the form insists on it.

    What they leave as it was stands, also where it is not offered any more.
    """
    corrected, problems = {}, []
    for name, field in fields.items():
        if name not in said or _unchanged(said[name], before[name]):
            continue
        answer = read(field, said[name])
        if isinstance(answer, Wrong):
            problems.append(FieldError(f"/profile/{name}", answer.detail, answer.flaw))
        else:
            corrected[name] = answer
    return corrected, problems


def _unchanged(said: Said, before: str) -> bool:
    return (joined(said) if isinstance(said, tuple) else said) == before


def read(field: FormField, said: Said) -> str | Wrong:
    """One answer as it is kept: "" for none, whatever the kind."""
    # What nobody would see is no answer: a mail would greet a space.
    if isinstance(said, str) and is_blank(said):
        return ""
    match field.kind:
        case FieldKind.TEXT:
            return _text(field, said)
        case FieldKind.CHOICE | FieldKind.HIDDEN:
            return _one_of(field, said)
        case FieldKind.MULTIPLE_CHOICE:
            return _some_of(field, said)
        case FieldKind.NUMBER:
            return _number(field, said)
        case FieldKind.DATE:
            return _date(field, said)
        case FieldKind.CHECKBOX:
            return _ticked(said)
        case _:
            assert_never(field.kind)


def _text(field: FormField, said: Said) -> str | Wrong:
    if not isinstance(said, str):
        return Wrong("must be text")
    if len(said) > field.max_length:
        return Wrong(f"is longer than {field.max_length} characters", Flaw.TOO_LONG)
    return said.strip()


def _one_of(field: FormField, said: Said) -> str | Wrong:
    if not isinstance(said, str):
        return Wrong("must be text")
    return said if said in field.options else _not_offered(field)


def _some_of(field: FormField, said: Said) -> str | Wrong:
    chosen = (said,) if isinstance(said, str) else said
    if not isinstance(chosen, tuple):
        return Wrong("must be a list of texts")
    named = {one for one in chosen if not is_blank(one)}
    if not named <= field.options.keys():
        return _not_offered(field)
    return joined(value for value in field.options if value in named)


def _not_offered(field: FormField) -> Wrong:
    """What is offered stands in the description of the form: whoever asks may know it."""
    return Wrong(f"must be of {', '.join(field.options)}", Flaw.NOT_OFFERED)


def _number(field: FormField, said: Said) -> str | Wrong:
    written = "" if isinstance(said, bool | tuple) else str(said)
    match = _NUMBER.fullmatch(written)
    if match is None:
        return Wrong("must be a number, such as 12 or 1.5", Flaw.NO_NUMBER)
    if len((match["part"] or "").rstrip("0")) > field.decimals:
        places = f"at most {field.decimals} decimals" if field.decimals else "no decimals"
        return Wrong(f"must have {places}", Flaw.NO_NUMBER)
    number = Decimal(written)
    kept = f"{number:f}"
    if match["part"]:
        kept = kept.rstrip("0").rstrip(".")
    return _within(field, number, "0" if number == 0 else kept)


def _date(field: FormField, said: Said) -> str | Wrong:
    if isinstance(said, str) and _DATE.fullmatch(said):
        try:
            return _within(field, date.fromisoformat(said), said)
        except ValueError:
            pass
    return Wrong("must be a date, such as 2026-03-31", Flaw.NO_DATE)


def _within(field: FormField, value: Decimal | date, kept: str) -> str | Wrong:
    least, most = field.bounds
    if least is not None and value < least:
        return Wrong(f"must be {field.min} or more", Flaw.OUT_OF_RANGE)
    if most is not None and value > most:
        return Wrong(f"must be {field.max} or less", Flaw.OUT_OF_RANGE)
    return kept


def _ticked(said: Said) -> str | Wrong:
    written = str(said).lower() if isinstance(said, str | bool) else None
    if written in _ON:
        return TICKED
    return "" if written in _OFF else Wrong("must be true or false", Flaw.NOT_OFFERED)
