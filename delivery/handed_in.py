"""A mail that somebody hands in as a file: its fields and its body, whatever a program made of it.

Linear in its size, and bounded: it comes from who may wish us ill.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from delivery.dkim import Field

MOST: Final = 16 * 1024 * 1024  # bytes; a mail of ours has a few hundred thousand
_MOST_HEADER: Final = 256 * 1024
_MOST_FIELDS: Final = 500
_MOST_PARTS: Final = 50
_NAME: Final = re.compile(rb"[!-9;-~]{1,128}(?=[ \t]{0,80}:)")
_BOUNDARY: Final = re.compile(
    rb';[ \t]*boundary[ \t]*=[ \t]*(?:"([ -!#-\[\]-~]{1,70})"|([!#-:<-~]{1,70}))', re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class HandedIn:
    """Fields in their order, each as it stands with its line end; lines end in CRLF."""

    fields: tuple[Field, ...] = field(repr=False)
    body: bytes = field(repr=False)

    def values(self, name: bytes) -> list[bytes]:
        """What the fields of that name say, each on one line."""
        return [unfolded(raw) for one, raw in self.fields if one == name]


def read(raw: bytes) -> HandedIn | None:
    """The mail in a file; None where that is none, or is larger than any of ours."""
    if len(raw) > MOST:
        return None
    text = raw.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").lstrip(b"\n")
    if text.startswith(b"From "):  # as a mailbox file begins each
        text = text.partition(b"\n")[2]
    head, _, body = text.partition(b"\n\n")
    if len(head) > _MOST_HEADER:
        return None
    fields = _fields(head)
    return None if fields is None else HandedIn(fields, body.replace(b"\n", b"\r\n"))


def _fields(head: bytes) -> tuple[Field, ...] | None:
    """Names in lower case; None for what is no header."""
    found: list[list[bytes]] = []
    for line in head.rstrip(b"\n").split(b"\n"):
        if line[:1] in (b" ", b"\t") and found:
            found[-1].append(line)
            continue
        if _NAME.match(line) is None or len(found) == _MOST_FIELDS:
            return None
        found.append([line])
    return tuple(_field(b"\r\n".join(lines) + b"\r\n") for lines in found)


def _field(raw: bytes) -> Field:
    """Blanks before the colon mean nothing (RFC 6376, section 3.4.2)."""
    name, _, value = raw.partition(b":")
    name = name.rstrip(b" \t")
    return name.lower(), name + b":" + value


def unfolded(raw: bytes) -> bytes:
    """What a field says, on one line."""
    return raw.partition(b":")[2].replace(b"\r\n", b"").strip(b" \t")


def parts(mail: HandedIn) -> Iterator[HandedIn]:
    """The parts of a multipart mail, the first fifty; nothing of another."""
    said = b";".join(mail.values(b"content-type")[:1])
    found = _BOUNDARY.search(said)
    if found is None or not said.lower().startswith(b"multipart/"):
        return
    yield from _split(mail.body, found[1] or found[2])


def _split(body: bytes, boundary: bytes) -> Iterator[HandedIn]:
    pieces: Sequence[bytes] = (b"\r\n" + body).split(b"\r\n--" + boundary, _MOST_PARTS + 1)
    for piece in pieces[1 : _MOST_PARTS + 1]:
        if piece.startswith(b"--"):
            return
        text = piece.partition(b"\r\n")[2]  # what stands behind the boundary means nothing
        if text.startswith(b"\r\n"):
            yield HandedIn((), text[2:])
            continue
        head, gap, content = text.partition(b"\r\n\r\n")
        fields = _fields(head.replace(b"\r\n", b"\n")) if len(head) <= _MOST_HEADER else None
        if fields is not None:
            yield HandedIn(fields, content if gap else b"")
