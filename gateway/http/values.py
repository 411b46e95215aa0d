"""How many values a JSON body holds, told before anything is made of them.

A parser makes all of a body in one step, in which nobody else of the process has a
turn, and a value costs it far more than its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

# Of 1000 messages, two hundred each. Making so many takes some 50 ms.
MOST_VALUES: Final = 200_000
MOST_OF_ONE: Final = 40_000  # message, which 64 KB of data can hold
MOST_OF_A_FORM: Final = 2_000

_PIECE: Final = 64 * 1024  # others have their turn after each
_MORE: Final = 4  # for a list or an object: they take longer, and are looked through for garbage
_SEAMS: Final = b",:[{"  # before each value but the first, and each name
_SPACE: Final = b" \t\r\n"
_LONG: Final = 10  # bytes outside of texts that count as one value: long numbers take long


def holds_more(body: bytes, most: int) -> bool:
    """Whether *body* may hold more than *most* values, names among them.

    Linear, whatever is in it; of what is no JSON, what stands before the flaw is
    counted, which is as much as a parser makes of it.
    """
    return any(found > most for found in _found(body))


def _found(body: bytes) -> Iterator[int]:
    """How many were found so far, after each piece."""
    found, begin, in_text = 0, 0, False
    while begin < len(body):
        piece = body[begin : begin + _PIECE].replace(b"\\\\", b"")
        # What a backslash escapes begins the next piece, and is not looked at there.
        begin += _PIECE + piece.endswith(b"\\")
        parts = piece.replace(b'\\"', b"").split(b'"')
        outside = b"".join(parts[in_text::2]).translate(None, _SPACE)
        seams = len(outside) - len(outside.translate(None, _SEAMS))
        seams += _MORE * (outside.count(b"[") + outside.count(b"{"))
        quotes = len(parts) - 1
        found += max(seams, quotes // 2, len(outside) // _LONG)
        in_text ^= quotes % 2 == 1
        yield found
