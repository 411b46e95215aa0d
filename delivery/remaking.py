"""A mail taken apart into what all of its kind share and what is its recipient's, and made again.

The first part is a specimen: it is nobody's, and kept once for all mails that were made
of it. The second is kept sealed. Together they give the mail to the byte, with nothing of
what composed it. docs/formats/evidence.md defines the bytes. Pure.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Any, Final

from delivery.errors import SpecimenError

FORMAT: Final = "consentgw/mail/v1"
_WHOLE: Final = "mail"  # the one value of a mail that cannot be taken apart
# It begins with a text, which is looked for fast; looking behind would be tried everywhere.
_IN_BASE64: Final = re.compile(
    r"\r\nContent-Transfer-Encoding: base64\r\n\r\n((?:[A-Za-z0-9+/=]{1,76}\r\n)+)"
)
_SOFT_BREAK: Final = "=\r\n"  # quoted-printable may have one anywhere (RFC 2045, section 6.7)
_SLOT: Final = re.compile(r"([a-z_]+)(?: ([0-9]{1,6}) ([0-9]{1,6}))?")
_LINE: Final = 57  # bytes in a line of base64


@dataclass(frozen=True, slots=True)
class Apart:
    """What a mail is made of: a specimen, and the values that fill it."""

    specimen: bytes
    values: Mapping[str, str] = field(repr=False)


def taken_apart(raw: bytes, values: Mapping[str, str]) -> Apart:
    """Take *values* out of a mail; what is left must be nobody's.

    Whatever has no such form is kept as one value: then the specimen is an empty frame.
    """
    found = {name: value for name, value in values.items() if value}
    apart = Apart(_written(_pieces(raw.decode("ascii"), found)), found)
    if _gives(apart, raw):
        return apart
    return Apart(_written([["7bit", ["", _WHOLE, ""]]]), {_WHOLE: raw.decode("ascii")})


def _gives(apart: Apart, raw: bytes) -> bool:
    try:
        return remade(apart.specimen, apart.values) == raw
    except SpecimenError:
        return False


def remade(specimen: bytes, values: Mapping[str, str]) -> bytes:
    """The mail; raises `SpecimenError` for a specimen, or values, that give none."""
    try:
        pieces = _read(specimen)
        return b"".join(_encoded(encoding, _filled(text, values)) for encoding, text in pieces)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise SpecimenError from None  # the cause quotes what is somebody's


_Piece = Sequence[Any]  # how it is encoded, and its text: constants and slots in turn


def _written(pieces: Sequence[_Piece]) -> bytes:
    document = {"format": FORMAT, "pieces": pieces}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _read(specimen: bytes) -> list[tuple[str, Sequence[str]]]:
    document = json.loads(specimen)
    if document["format"] != FORMAT:
        raise ValueError
    return [(encoding, text) for encoding, text in document["pieces"]]


def _pieces(raw: str, values: Mapping[str, str]) -> list[_Piece]:
    """The bytes as they are, and in between texts that are sent as base64."""
    found: list[_Piece] = []
    end = 0
    for part in _IN_BASE64.finditer(raw):
        found.append(["7bit", [*_with_slots(raw[end : part.start(1)], values)]])
        text = base64.b64decode(part[1]).decode("utf-8")
        found.append(["base64", [*_with_slots(text, values)]])
        end = part.end()
    found.append(["7bit", [*_with_slots(raw[end:], values)]])
    return found


def _with_slots(text: str, values: Mapping[str, str]) -> Iterator[str]:
    """Constants and slots in turn, beginning and ending with a constant."""
    end = 0
    names = list(values)
    for start, _, number, stop in sorted(_places(text, values.values())):
        if start >= end:
            name = names[number]
            yield text[end:start]
            yield from _parts(name, text[start:stop], values[name])
            end = stop
    yield text[end:]


def _places(text: str, values: Iterable[str]) -> set[tuple[int, int, int, int]]:
    """Where each value begins, how long it is below zero, which one it is, and where it ends.

    A pattern of all of them, with what may cut each, took as long as twenty mails to compile.
    """
    pieces = text.split(_SOFT_BREAK)
    breaks = list(accumulate(map(len, pieces[:-1])))
    joined = "".join(pieces)

    def place(at: int) -> int:
        return at + len(_SOFT_BREAK) * bisect_right(breaks, at)

    found = set()
    for number, value in enumerate(values):
        size = len(value)
        found |= {(at, -size, number, at + size) for at in _begins(text, value)}
        for at in _begins(joined, value):
            found.add((place(at), -size, number, place(at + size - 1) + 1))
    return found


def _begins(text: str, value: str) -> Iterator[int]:
    at = text.find(value)
    while at >= 0:
        yield at
        at = text.find(value, at + 1)


def _parts(name: str, found: str, value: str) -> Iterator[str]:
    """The slots of one value, which a soft break may have cut in two."""
    if found == value:
        yield name
        return
    parts = found.split(_SOFT_BREAK)
    at = 0
    slots = []
    for part in parts:
        slots.append(f"{name} {at} {at + len(part)}")
        at += len(part)
    between = chain.from_iterable((_SOFT_BREAK, slot) for slot in slots[1:])
    yield from (slots[0], *between)


def _filled(text: Sequence[str], values: Mapping[str, str]) -> str:
    return "".join(_value(one, values) if n % 2 else one for n, one in enumerate(text))


def _value(slot: str, values: Mapping[str, str]) -> str:
    found = _SLOT.fullmatch(slot)
    if found is None:
        raise ValueError
    name, start, end = found.groups()
    return values[name] if start is None else values[name][int(start) : int(end)]


def _encoded(encoding: str, text: str) -> bytes:
    if encoding == "7bit":
        return text.encode("ascii")
    if encoding != "base64":
        raise ValueError
    raw = text.encode()
    lines = (raw[at : at + _LINE] for at in range(0, len(raw), _LINE))
    return b"".join(binascii.b2a_base64(line, newline=False) + b"\r\n" for line in lines)
