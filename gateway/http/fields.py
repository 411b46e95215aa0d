"""The kinds of values that requests are made of, each with its schema.

What is wrong with a value is said in words that name no value.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    JsonValue,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from consent import address

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MOST_DATA = 64 * 1024


def _moment(raw: object) -> datetime:
    if not isinstance(raw, str) or not _RFC3339.fullmatch(raw):
        raise ValueError("must be a time as in RFC 3339, with its offset")
    try:
        return datetime.fromisoformat(raw.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is no time that exists") from None


def _address(raw: object) -> address.Address:
    if isinstance(raw, str):
        try:
            return address.parse(raw)
        except address.AddressError:
            pass
    raise ValueError("must be an email address")


def _clean(raw: str) -> str:
    if _CONTROLS.search(raw):
        raise ValueError("must not hold control characters")
    return raw


def small(data: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        size = len(json.dumps(data, allow_nan=False))
    except ValueError:
        raise ValueError("must hold finite numbers only") from None
    if size > _MOST_DATA:
        raise ValueError("must be at most 64 KB of JSON")
    return data


Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
MailAddress = Annotated[
    address.Address,
    PlainValidator(_address),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254}),
]
CleanText = Annotated[str, AfterValidator(_clean)]
Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=998, pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]*$"),
]
Label = Annotated[Line, StringConstraints(max_length=200)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}_[a-z0-9]{1,36}$")]
TextHash = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Locale = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
PageUrl = Annotated[Line, StringConstraints(max_length=2000)]
Stamp = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,16000}$")]
Template = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Body = Annotated[CleanText, StringConstraints(max_length=1024 * 1024)]
