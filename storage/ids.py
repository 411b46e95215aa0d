"""Names for rows: opaque, with a prefix that says the kind."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

_SIZE = 16  # bytes
# base32hex keeps the order of the bytes (RFC 4648, section 7); a name has it in lower case, without
# padding. Written two letters at a time, in half the time that the standard library takes.
_LETTERS = "0123456789abcdefghijklmnopqrstuv"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
_SHIFTS = range(120, -1, -10)
_PADDING = 2  # bits behind those of the name in the last letter


def random_id(kind: str) -> str:
    """A name of 128 random bits that says nothing, not even when it was made."""
    return named(kind, secrets.token_bytes(16))


def ordered_id(kind: str, now: datetime) -> str:
    """A name that sorts by *now* (milliseconds), so that new rows lie together in an index."""
    moment = int(now.timestamp() * 1000).to_bytes(6, "big")
    return named(kind, moment + secrets.token_bytes(10))


def first_id(kind: str, at: datetime) -> str:
    """The first name that `ordered_id` can give from *at* on: no other one is."""
    moment = int(at.timestamp() * 1000).to_bytes(6, "big")
    return named(kind, moment + bytes(10))


def moment_of(name: str) -> datetime:
    """The millisecond that `ordered_id` put into *name*; raises ValueError for another name."""
    return datetime.fromtimestamp(int.from_bytes(bits_of(name)[:6], "big") / 1000, UTC)


def named(kind: str, bits: bytes) -> str:
    """The name of what these 128 *bits* stand for."""
    if len(bits) != _SIZE:
        raise ValueError("a name has 128 bits")
    whole = int.from_bytes(bits, "big") << _PADDING
    return f"{kind}_{''.join([_PAIRS[whole >> shift & 1023] for shift in _SHIFTS])}"


def bits_of(name: str) -> bytes:
    """The bits of a name; raises ValueError for one of another shape or a second spelling."""
    kind, _, encoded = name.partition("_")
    try:
        bits = (int(encoded, 32) >> _PADDING).to_bytes(_SIZE, "big")
    except (ValueError, OverflowError):
        raise ValueError("is no name of a row") from None
    if named(kind, bits) != name:
        raise ValueError("is no name of a row")
    return bits
