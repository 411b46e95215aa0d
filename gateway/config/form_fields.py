"""The fields of a form beside the address: of which kind, called what, and what may be answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from gateway.config.fields import Line, Locale
from gateway.config.section import SECTION
from storage import patterns

MOST_FIELDS: Final = 50
_MOST_OPTIONS: Final = 100
_MOST_DIGITS: Final = 15  # what programs that calculate with fractions keep exactly


class FieldKind(StrEnum):
    TEXT = "text"
    CHOICE = "choice"
    MULTIPLE_CHOICE = "multiple_choice"
    NUMBER = "number"
    DATE = "date"
    CHECKBOX = "checkbox"
    HIDDEN = "hidden"


_OFFERING: Final = (FieldKind.CHOICE, FieldKind.MULTIPLE_CHOICE, FieldKind.HIDDEN)
_BOUNDED: Final[dict[FieldKind, tuple[type, ...]]] = {
    FieldKind.NUMBER: (int, float),
    FieldKind.DATE: (date,),
}
_KINDS_OF: Final = {  # which kinds have what some lack
    "max_length": (FieldKind.TEXT,),
    "options": _OFFERING,
    "min": (*_BOUNDED,),
    "max": (*_BOUNDED,),
    "decimals": (FieldKind.NUMBER,),
}


def _by_value(raw: Any) -> Any:
    """A list offers values without words of their own."""
    return {value: {} for value in raw} if _is_list(raw) else raw


def _is_list(raw: Any) -> bool:
    """Whether it is a list that names nothing twice, and nothing but names."""
    if not isinstance(raw, list) or not all(isinstance(one, str) for one in raw):
        return False
    if len(set(raw)) != len(raw):
        raise ValueError("names a value twice")
    return True


_Value = Annotated[str, StringConstraints(pattern=patterns.OPTION)]
_Options = Annotated[
    dict[_Value, dict[Locale, Line]],
    Field(max_length=_MOST_OPTIONS),
    BeforeValidator(_by_value),
]


class FormField(BaseModel):
    """One question; what a kind has no use for is said by `flaws`."""

    model_config = SECTION

    kind: Annotated[FieldKind, Field(strict=False)] = FieldKind.TEXT
    required: bool = False
    max_length: Annotated[int, Field(ge=1, le=2000)] = 200
    label: dict[Locale, Line] = {}
    help: dict[Locale, Line] = {}
    options: _Options = {}
    min: int | float | date | None = None
    max: int | float | date | None = None
    decimals: Annotated[int, Field(ge=0, le=6)] = 0

    @property
    def bounds(self) -> tuple[Any, Any]:
        """The least and the most, as they compare with an answer; None: no bound."""
        return _comparable(self.min), _comparable(self.max)


def _comparable(bound: int | float | date | None) -> Decimal | date | None:
    return Decimal(str(bound)) if isinstance(bound, int | float) else bound


def flaws(field: FormField, locales: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Which key of a field of a form in *locales* is wrong, and how."""
    for key, kinds in _KINDS_OF.items():
        if key in field.model_fields_set and field.kind not in kinds:
            yield key, f"is for {' or '.join(kinds)}, and this is {field.kind}"
            return
    if field.kind in _OFFERING and not field.options:
        yield "options", f"a {field.kind} needs what it offers"
    yield from _flaws_of_bounds(field)
    needed = set(locales)
    words: dict[str, Mapping[str, str]] = {"label": field.label, "help": field.help}
    words |= {f"options.{value}": said for value, said in field.options.items()}
    for key, said in words.items():
        if said and not needed <= said.keys():
            yield key, f"must have {', '.join(locales)}"


def _flaws_of_bounds(field: FormField) -> Iterator[tuple[str, str]]:
    wanted = _BOUNDED.get(field.kind)
    for key in ("min", "max"):
        bound = getattr(field, key)
        if wanted is not None and bound is not None and not isinstance(bound, wanted):
            what = "a date, such as 2026-03-31" if field.kind is FieldKind.DATE else "a number"
            yield key, f"must be {what}"
            return
        if isinstance(bound, int | float) and not abs(bound) < 10**_MOST_DIGITS:
            yield key, f"has more than {_MOST_DIGITS} digits"
            return
    least, most = field.bounds
    if least is not None and most is not None and least > most:
        yield "max", "is less than min"


def several(fields: Mapping[str, FormField]) -> frozenset[str]:
    """Which of them take more than one answer."""
    kind = FieldKind.MULTIPLE_CHOICE
    return frozenset(name for name, field in fields.items() if field.kind is kind)


def merged(fields: Iterable[FormField]) -> FormField | None:
    """What one name stands for in all forms: the last one's words, and every option of any."""
    every = [*fields]
    if not every:
        return None
    options = {value: said for field in every for value, said in field.options.items()}
    return every[-1].model_copy(update={"options": options})
