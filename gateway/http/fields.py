"""The kinds of values that requests are made of, each with its schema.

What nobody sees at the edges of a value is cut off before it is looked at: people
and programs copy it along. Bodies of mails alone are taken as they are. What is
wrong with a value is said in words that name no value.
"""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    JsonValue,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from consent import address
from gateway.flows.by import OWN_WAYS
from gateway.look.translations import is_spoken, languages
from storage import patterns
from storage.invisible import trimmed

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DATA = 64 * 1024
_MOST_CHOSEN: Final = 100
_LINE: Final = patterns.LINE
# Without them some scripts cannot be written, nor some emoji: joiners, marks of direction, tags.
_SHAPING: Final = frozenset("\u061c\u200c\u200d\u200e\u200f") | {
    chr(tag) for tag in range(0xE0020, 0xE0080)
}

Said = str | tuple[str, ...] | bool | int | float  # to a question, before it is known of which kind


def _without_edges(raw: object) -> object:
    return trimmed(raw) if isinstance(raw, str) else raw


def _moment(raw: object) -> datetime:
    """A moment of our time; one of long ago is a slip, and would be reckoned with as it stands."""
    raw = _without_edges(raw)
    if not isinstance(raw, str) or not _RFC3339.fullmatch(raw):
        raise ValueError("must be a time as in RFC 3339, with its offset")
    try:
        moment = datetime.fromisoformat(raw.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is no time that exists") from None
    if moment < _FIRST:
        raise ValueError("must not be before the year 1970")
    return moment


def zone_named(name: str) -> tzinfo | None:
    """The time zone of that name; None where this machine knows none."""
    if name == "UTC":
        return UTC  # known without the machine's files
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return None


def _known_zone(name: str) -> str:
    if zone_named(name) is None:
        raise ValueError("must be a time zone that this server knows, such as Europe/Berlin")
    return name


def _spoken(locale: str) -> str:
    if not is_spoken(locale):
        raise ValueError(f"must be a language of papers: {', '.join(languages())}")
    return locale


def _of_others(way: str) -> str:
    if way in OWN_WAYS:
        raise ValueError("is a way by which people come to us themselves: name how it reached you")
    return way


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


def _visible(raw: str) -> str:
    """One line that shows what it holds: it is printed into mails and pages."""
    if any(_is_hidden(character) for character in raw):
        raise ValueError("must be one line without invisible characters")
    return raw


def _is_hidden(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cf", "Zl", "Zp") and character not in _SHAPING


def _said(raw: object) -> Said:
    """What is answered to a question of a form: of which kind that one is, is looked at later."""
    if isinstance(raw, list):
        if len(raw) > _MOST_CHOSEN:
            raise ValueError(f"must be at most {_MOST_CHOSEN} choices")
        return tuple(_said_line(one) for one in raw)
    if isinstance(raw, bool | int | float):
        return raw
    return _said_line(raw)


def _said_line(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError("must be text, a number, true or false, or a list of texts")
    return _visible(trimmed(raw))


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
_Edges: Final = BeforeValidator(_without_edges)
CleanText = Annotated[str, AfterValidator(_clean)]
SaidAnswer = Annotated[
    Said,
    PlainValidator(_said),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "maxItems": _MOST_CHOSEN},
                {"type": "boolean"},
                {"type": "number"},
            ]
        }
    ),
]
FormAnswer = Annotated[str, AfterValidator(_visible), _Edges]
Line = Annotated[str, StringConstraints(min_length=1, max_length=998, pattern=_LINE), _Edges]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_LINE), _Edges]
Decision = Annotated[
    CleanText, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)
]
Name = Annotated[str, StringConstraints(pattern=patterns.NAME), _Edges]
# How something came that did not come to us.
Channel = Annotated[
    str, StringConstraints(pattern=patterns.NAME), AfterValidator(_of_others), _Edges
]
Identifier = Annotated[str, StringConstraints(pattern=patterns.IDENTIFIER), _Edges]
PageCursor = Annotated[str, StringConstraints(pattern=patterns.CURSOR), _Edges]
ExternalId = Annotated[str, StringConstraints(pattern=patterns.EXTERNAL_ID), _Edges]
CaseNumber = Annotated[str, StringConstraints(max_length=64, pattern=patterns.CASE_NUMBER), _Edges]
ZoneName = Annotated[
    str, StringConstraints(pattern=patterns.ZONE), AfterValidator(_known_zone), _Edges
]
ExportName = Annotated[str, StringConstraints(pattern=patterns.EXPORT), _Edges]
TextHash = Annotated[str, StringConstraints(pattern=patterns.TEXT_HASH), _Edges]
# Whatever somebody's page calls a language: it is chosen by, and never kept.
Locale = Annotated[str, _Edges]
# That of a paper, which a program asks for: another than it meant would be no answer.
PaperLocale = Annotated[str, AfterValidator(_spoken), _Edges]
PageUrl = Annotated[str, StringConstraints(max_length=2000, pattern=_LINE), _Edges]
Stamp = Annotated[str, StringConstraints(pattern=patterns.STAMP), _Edges]
Template = Annotated[str, StringConstraints(pattern=patterns.NAME), _Edges]
Body = Annotated[CleanText, StringConstraints(max_length=1024 * 1024)]
