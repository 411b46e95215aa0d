"""A multipart form (RFC 7578) that was read whole, taken apart in one pass over its bytes.

aiohttp's own reader works while the body comes, line by line: a preamble that
never ends, or a head of one byte a line, kept the loop from everybody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MOST_PARTS: Final = 200
_LONGEST_HEAD: Final = 2048  # of one part; browsers need a hundred bytes
_LONGEST_BOUNDARY: Final = 200  # RFC 2046 allows seventy
_PARAMETER: Final = re.compile(rb';[ \t]*([\w*-]++)[ \t]*+=[ \t]*+(?:"([^"]*+)"|([^";\s]*+))')
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_LINE_END: Final = re.compile(rb"\r?\n")
_PLAIN: Final = (b"", b"7bit", b"8bit", b"binary")


class NotMultipart(ValueError):
    """It cannot be taken apart, or into too many parts; never says what it is."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field; *is_file* where it says that it has a file's name, an empty one too."""

    name: bytes
    content: bytes = field(repr=False)
    is_file: bool


def parts(body: bytes, content_type: str) -> list[Part]:
    """The parts of *body*, in order. Raises `NotMultipart`.

    What stands before the first boundary and after the last means nothing. The
    time it takes grows with the length of *body*, whatever is in it.
    """
    return [_part(raw) for raw in _between(body, _boundary(content_type))]


def _boundary(content_type: str) -> bytes:
    said = _parameters(content_type.encode("utf-8", "surrogateescape"))
    boundary = said.get(b"boundary", b"")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise NotMultipart
    return boundary


def _between(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """What stands between two delimiters, up to the closing one, without which it was cut off."""
    # Possessive: an attempt that fails at a delimiter is not tried again in other ways.
    line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*+(?:(?=\r?\n)|\Z)")
    begin: int | None = None
    for number, found in enumerate(line.finditer(body)):
        if number > MOST_PARTS:
            break
        if begin is not None:
            yield body[begin : found.start()]
        if found[1] is not None:
            return
        begin = found.end()
    raise NotMultipart


def _part(raw: bytes) -> Part:
    """One part; it begins with the line end of its delimiter."""
    end = _HEAD_END.search(raw, 0, _LONGEST_HEAD)
    if end is None:
        raise NotMultipart
    said: dict[bytes, bytes] = {}
    for line in _LINE_END.split(raw[: end.start()]):
        name, _, value = line.partition(b":")
        said.setdefault(name.strip().lower(), value.strip())
    disposition = said.get(b"content-disposition", b"")
    if said.get(b"content-transfer-encoding", b"").lower() not in _PLAIN:
        raise NotMultipart
    parameters = _parameters(disposition)
    if not disposition.lower().startswith(b"form-data") or b"name" not in parameters:
        raise NotMultipart
    is_file = b"filename" in parameters or b"filename*" in parameters
    return Part(parameters[b"name"], raw[end.end() :], is_file)


def _parameters(header: bytes) -> dict[bytes, bytes]:
    """By name, the first of each; browsers write a quote in a value as %22, and no escapes."""
    found: dict[bytes, bytes] = {}
    for match in _PARAMETER.finditer(header):
        quoted = match[2]
        found.setdefault(match[1].lower(), match[3] if quoted is None else quoted)
    return found
