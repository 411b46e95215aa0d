"""Texts as they travel: cleaned, in 7-bit lines of at most 76, and in DKIM's relaxed form. Pure.

Every line ends in CRLF, and all but base64 goes line by line: lines that were encoded for
themselves are, one after another, what the whole text would be.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import Final, Literal

from delivery import relaxed

Encoding = Literal["7bit", "base64", "quoted-printable"]

_LINE: Final = 76  # RFC 2045, section 6.7; RFC 5322 asks for 78 at most

# What ends a line, as `str.splitlines` sees it, and what no text may carry.
_BREAKS: Final = bytes.maketrans(b"\r\v\f\x1c\x1d\x1e", b"\n" * 6)
_CONTROLS: Final = bytes([*range(9), *range(0x0E, 0x1C), 0x1F, 0x7F])
_HIGH: Final = bytes(range(0x80, 0x100))
_UNUSUAL_BREAKS: Final = {sign: sign.encode() for sign in "\x85\u2028\u2029"}
_UTF8_CONTROL: Final = re.compile(b"\xc2[\x80-\x9f]")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as it is sent, and as DKIM hashes it."""

    encoding: Encoding
    wire: bytes = field(repr=False)
    relaxed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Nature:
    """What of some lines decides how a text that has them is encoded."""

    size: int  # bytes
    beyond_ascii: int
    is_short: bool  # each of them
    is_mailbox_like: bool  # one of them is

    def __add__(self, other: Nature) -> Nature:
        return Nature(
            self.size + other.size,
            self.beyond_ascii + other.beyond_ascii,
            self.is_short and other.is_short,
            self.is_mailbox_like or other.is_mailbox_like,
        )

    def encoding(self) -> Encoding:
        """The most readable encoding that arrives unchanged and is not much longer."""
        if self.is_mailbox_like:
            return "base64"  # mailbox files put a ">" before such a line
        if self.is_short and not self.beyond_ascii:
            return "7bit"
        # From there on quoted-printable would be the longer one.
        return "base64" if self.beyond_ascii * 6 > self.size else "quoted-printable"


def encoded(text: str) -> Encoded:
    """A text that ends in one line end, whatever it ended in."""
    return encoded_lines(lines(text))


def encoded_lines(raw: bytes) -> Encoded:
    """As `encoded`, of what `lines` made."""
    encoding = nature(raw).encoding()
    if encoding == "base64":
        wire = base64(raw)
        return Encoded(encoding, wire, wire)
    wire = raw if encoding == "7bit" else quoted(raw)
    return Encoded(encoding, wire, relaxed.lines(wire))


def lines(text: str) -> bytes:
    """Text with CRLF line ends, the last line included, and without control characters."""
    return _cleaned(text).rstrip(b"\n").replace(b"\n", b"\r\n") + b"\r\n"


def lines_within(text: str) -> bytes:
    """As `lines`, of lines of a text that goes on behind them: *text* ends in a line end."""
    return _cleaned(text).replace(b"\n", b"\r\n")


def _cleaned(text: str) -> bytes:
    """On bytes, table by table: a regex over every body costs as much as its signature."""
    raw = text.encode("utf-8", "replace").replace(b"\r\n", b"\n")
    raw = raw.translate(_BREAKS, _CONTROLS)
    for sign, line_end in _UNUSUAL_BREAKS.items():
        if sign in text:  # one character is found ten times faster than its bytes
            raw = raw.replace(line_end, b"\n")
    if b"\xc2" in raw:
        raw = _UTF8_CONTROL.sub(b"", raw)
    return raw


def nature(raw: bytes) -> Nature:
    """Of whole lines."""
    is_ascii = raw.isascii()
    return Nature(
        size=len(raw),
        beyond_ascii=0 if is_ascii else len(raw) - len(raw.translate(None, _HIGH)),
        is_short=is_ascii and max(map(len, raw.split(b"\r\n"))) <= _LINE,
        is_mailbox_like=raw.startswith(b"From ") or b"\r\nFrom " in raw,
    )


def quoted(raw: bytes) -> bytes:
    """Whole lines as quoted-printable."""
    return binascii.b2a_qp(raw)


def base64(raw: bytes) -> bytes:
    lines = (raw[start : start + 57] for start in range(0, len(raw), 57))
    return b"".join(binascii.b2a_base64(line, newline=False) + b"\r\n" for line in lines)
