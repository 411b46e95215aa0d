"""What a value of a request, or of the configuration, must be: plain words for a validator's."""

from __future__ import annotations

from typing import Any, Final

from storage import patterns

HALF: Final = "must be text: an escape in it is half of a character"
_DATE: Final = "must be a date, such as 2026-12-01"
_DETAILS: Final = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "date_from_datetime_inexact": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_parsing": _DATE,
    "date_type": _DATE,
    "dict_type": "must be an object",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "int_parsing_size": "must be a whole number that is not so long",
    "less_than": "must be less than {lt}",
    "list_type": "must be a list",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "string_sub_type": "must be text",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be text",
    "string_unicode": HALF,
    "too_long": "must name at most {max_length}",
    "too_short": "must name at least {min_length}",
    "tuple_type": "must be a list",
    "extra_forbidden": "is not a field of this request",
    "missing": "is required",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def in_words(item: Any) -> str:
    """What one of a `ValidationError`'s items says; the value itself is never quoted."""
    if item["type"] == "string_pattern_mismatch":
        return patterns.in_words(item["ctx"]["pattern"])
    if item["type"] in _DETAILS:
        return _DETAILS[item["type"]].format(**_limits(item))
    message: str = item["msg"].removeprefix("Value error, ")
    return message


def _limits(item: Any) -> dict[str, str]:
    """What is allowed, of our own schema; values stand without the validator's quotes."""
    return {name: str(said).replace("'", "") for name, said in item.get("ctx", {}).items()}
