"""A part of a mail that is encoded before it is known who gets it. Pure.

Encodings and DKIM's relaxed form go line by line (`delivery/transfer.py`). So lines that are
the same in every mail are encoded once, and those with a place for what is one mail's with
it. What comes out is, to the byte, what the whole text would be: nobody can see of a mail
whether there was a plan.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from operator import itemgetter
from typing import Any, Final, NamedTuple

from delivery import relaxed, transfer
from delivery.transfer import Encoded

_OF_A_BLOCK: Final = 200  # bytes of memory, about, beside those that it holds


class Mark:
    """What stands in a text where one mail's words go; *secret*: no text has it."""

    def __init__(self, secret: str) -> None:
        # As an address it is one that markup may lead to (`delivery/markup.py`).
        self._before = f"https:{secret}n"
        found = rf"{self._before}(?:\d+)x"
        self.found = re.compile(rf"{self._before}(\d+)x")
        self.lines = re.compile(rf"((?:^.*{found}.*\n)+)", re.MULTILINE)

    def at(self, number: int) -> str:
        return f"{self._before}{number}x"


class _Same(NamedTuple):
    """Lines of every mail, in each form that they may be sent in."""

    raw: bytes
    relaxed: bytes
    quoted: bytes
    quoted_relaxed: bytes


class Plan:
    """A text with places; *values* of `fill` go where the marks of their numbers were."""

    def __init__(self, text: str, mark: Mark) -> None:
        """Raises ValueError for one that does not end in a line of every mail."""
        blocks = mark.lines.split(text)
        last = transfer.lines(blocks[-1])
        if last == b"\r\n" or mark.found.search(blocks[-1]):
            raise ValueError("no line of every mail is the last one")
        raws = [*map(transfer.lines_within, blocks[:-1:2]), last]
        self._nature = transfer.nature(b"".join(raws))
        self._same = [*map(_same, raws)]
        self._varied = [_filled_by(block, mark) for block in blocks[1::2]]
        self.size = sum(sum(map(len, one)) + _OF_A_BLOCK for one in self._same) + len(text)

    def fill(self, values: Sequence[str]) -> Encoded:
        """As `transfer.encoded` of the text with *values* in their places."""
        varied = [transfer.lines_within(fill(values)) for fill in self._varied]
        encoding = (self._nature + transfer.nature(b"".join(varied))).encoding()
        if encoding == "base64":
            wire = transfer.base64(_joined([one.raw for one in self._same], varied))
            return Encoded(encoding, wire, wire)
        if encoding == "7bit":
            same, hashed = [one.raw for one in self._same], [one.relaxed for one in self._same]
        else:
            same = [one.quoted for one in self._same]
            hashed = [one.quoted_relaxed for one in self._same]
            varied = [*map(transfer.quoted, varied)]
        wire = _joined(same, varied)
        return Encoded(encoding, wire, _joined(hashed, [*map(relaxed.lines, varied)]))


def _same(raw: bytes) -> _Same:
    quoted = transfer.quoted(raw)
    return _Same(raw, relaxed.lines(raw), quoted, relaxed.lines(quoted))


def _joined(same: Sequence[bytes], varied: Sequence[bytes]) -> bytes:
    return b"".join(chain.from_iterable(zip_longest(same, varied, fillvalue=b"")))


def _filled_by(block: str, mark: Mark) -> Callable[[Sequence[str]], str]:
    """What makes the lines of *block* of a mail's values."""
    pieces = mark.found.split(block)
    pattern = "%s".join(piece.replace("%", "%%") for piece in pieces[::2])
    chosen: Callable[[Sequence[str]], Any] = itemgetter(*map(int, pieces[1::2]))
    return lambda values: pattern % chosen(values)
