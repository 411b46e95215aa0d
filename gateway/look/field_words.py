"""What a form's fields, and the answers to them, are called; and what a page needs to ask one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from consent.answers import several
from gateway.config.config import Config
from gateway.config.form_fields import FieldKind, FormField
from gateway.look import moments
from gateway.look.translations import translations

TICKED: Final = "yes"  # the answer of a box that was ticked


def label_of(field: FormField | None, name: str, locale: str) -> str:
    """What a field is called; one without a label by its name."""
    return (field and field.label.get(locale)) or name.replace("_", " ").capitalize()


def answers(said: Mapping[str, str], config: Config, locale: str) -> list[tuple[str, str]]:
    """What a form was told, in the words in which it asks."""
    known = {name: config.field_named(name) for name in said}
    return [(label_of(known[k], k, locale), in_words(known[k], v, locale)) for k, v in said.items()]


def in_words(field: FormField | None, answer: str, locale: str) -> str:
    """An answer as people read it; what is not offered any more stands as it was kept."""
    match field.kind if field else FieldKind.TEXT:
        case FieldKind.CHOICE | FieldKind.MULTIPLE_CHOICE | FieldKind.HIDDEN:
            return ", ".join(_option(field, value, locale) for value in several(answer))
        case FieldKind.CHECKBOX if answer == TICKED:
            return translations(locale).gettext("Yes")
        case FieldKind.DATE if (day := _day(answer)) is not None:
            return moments.calendar_day(day, locale)
        case _:
            return ", ".join(several(answer))  # a kind may have been another one before


def control(field: FormField, name: str, locale: str, answer: str = "") -> dict[str, Any]:
    """A field as a page shows it, filled in."""
    chosen = several(answer)
    return {
        "name": name,
        "kind": field.kind.value,
        "required": field.required,
        "max_length": field.max_length,
        "label": label_of(field, name, locale),
        "help": field.help.get(locale),
        "options": _options(field, chosen, locale),
        "min": _written(field.bounds[0]),
        "max": _written(field.bounds[1]),
        "step": _written(Decimal(1).scaleb(-field.decimals))
        if field.kind is FieldKind.NUMBER
        else None,
        "range": range_of(field, locale),
        "value": answer,
        "chosen": chosen,
    }


def range_of(field: FormField, locale: str) -> str | None:
    """Between what an answer must be, in signs that every language reads alike."""
    least, most = (
        moments.calendar_day(one, locale) if isinstance(one, date) else _written(one)
        for one in field.bounds
    )
    if least is None or most is None:
        bounds = ((f"≥ {least}", least), (f"≤ {most}", most))
        return next((said for said, bound in bounds if bound is not None), None)
    return f"{least} – {most}"


def _options(field: FormField, chosen: Collection[str], locale: str) -> list[dict[str, str]]:
    """What is offered, and what was chosen when it was offered."""
    left = (
        () if field.kind is FieldKind.TEXT else (one for one in chosen if one not in field.options)
    )
    offered = [*field.options, *left] if field.options else []
    return [{"value": value, "label": _option(field, value, locale)} for value in offered]


def _option(field: FormField | None, value: str, locale: str) -> str:
    said = field.options.get(value, {}) if field else {}
    return said.get(locale) or value.replace("_", " ").capitalize()


def _written(bound: object) -> str | None:
    if isinstance(bound, Decimal):
        return f"{bound:f}"  # 100000, and never 1E+5
    return None if bound is None else str(bound)


def _day(answer: str) -> date | None:
    try:
        return date.fromisoformat(answer)
    except ValueError:
        return None
