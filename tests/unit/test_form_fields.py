from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.config import config
from gateway.config.form_fields import FieldKind, FormField, merged
from gateway.errors import ConfigError

FIELDS = "forms.newsletter.fields"


def wrong_with(field: str, name: str = "role") -> str:
    text = config.embedded_default() + f"\n[{FIELDS}.{name}]\n{field}\n"
    with pytest.raises(ConfigError) as refused:
        config.parse(text, base=Path("/srv"))
    return str(refused.value)


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ('kind = "select"', f"{FIELDS}.role.kind: "),
        ('kind = "choice"', f"{FIELDS}.role.options: a choice needs what it offers"),
        ('kind = "hidden"', f"{FIELDS}.role.options: a hidden needs what it offers"),
        ('kind = "choice"\noptions = ["a", "a"]', f"{FIELDS}.role.options: names a value twice"),
        ('kind = "choice"\noptions = ["a@b"]', f"{FIELDS}.role.options"),
        (f'kind = "choice"\noptions = {[f"v{n}" for n in range(101)]}', f"{FIELDS}.role.options"),
        (
            'kind = "choice"\noptions.dev = { en = "Dev" }',
            f"{FIELDS}.role.options.dev: must have en, de",
        ),
        ('help = { en = "Why" }', f"{FIELDS}.role.help: must have en, de"),
        ('options = ["a"]', f"{FIELDS}.role.options: is for choice or multiple_choice or hidden"),
        ("min = 1", f"{FIELDS}.role.min: is for number or date, and this is text"),
        ('kind = "checkbox"\nmax_length = 3', f"{FIELDS}.role.max_length: is for text"),
        ('kind = "date"\ndecimals = 1', f"{FIELDS}.role.decimals: is for number"),
        ('kind = "number"\nmin = 2026-01-01', f"{FIELDS}.role.min: must be a number"),
        ('kind = "date"\nmax = 5', f"{FIELDS}.role.max: must be a date, such as 2026-03-31"),
        ('kind = "number"\nmin = 2\nmax = 1', f"{FIELDS}.role.max: is less than min"),
        ('kind = "number"\nmax = 1e15', f"{FIELDS}.role.max: has more than 15 digits"),
        ('kind = "number"\nmax = nan', f"{FIELDS}.role.max: has more than 15 digits"),
        ('labels = { en = "x" }', f"{FIELDS}.role.labels"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_does_not_fit_a_kind_is_named_by_its_key(field: str, told: str) -> None:
    assert told in wrong_with(field)


def test_one_name_is_one_kind_of_question_in_all_forms() -> None:
    other = '\n[forms.other]\npurposes = ["newsletter"]\n[forms.other.fields.role]\nkind = "date"'

    assert "forms.other.fields.role.kind: is date, and text in forms.newsletter" in wrong_with(
        f'kind = "text"{other}'
    )


def test_a_form_asks_no_more_than_fifty_questions() -> None:
    more = "".join(f"[{FIELDS}.f{n}]\n" for n in range(50))

    assert f"{FIELDS}: " in wrong_with(more)


def test_what_several_forms_offer_under_one_name_is_offered_together() -> None:
    one = FormField(kind=FieldKind.CHOICE, options={"a": {}, "b": {}})
    other = FormField(kind=FieldKind.CHOICE, options={"b": {}, "c": {}}, label={"en": "Role"})

    both = merged([one, other])

    assert both is not None
    assert ([*both.options], both.label) == (["a", "b", "c"], {"en": "Role"})
    assert merged([]) is None


def test_bounds_compare_exactly() -> None:
    assert FormField(kind=FieldKind.NUMBER, min=0.1).bounds[0] == Decimal("0.1")
    assert FormField(kind=FieldKind.DATE, max=date(2026, 1, 1)).bounds == (None, date(2026, 1, 1))
