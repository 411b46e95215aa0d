"""Names for rows: opaque, with a prefix that says the kind."""

from __future__ import annotations

import base64
import binascii
import secrets
from datetime import UTC, datetime


def random_id(kind: str) -> str:
    """A name of 128 random bits that says nothing, not even when it was made."""
    return named(kind, secrets.token_bytes(16))


def ordered_id(kind: str, now: datetime) -> str:
    """A name that sorts by *now* (milliseconds), so that new rows lie together in an index."""
    moment = int(now.timestamp() * 1000).to_bytes(6, "big")
    return named(kind, moment + secrets.token_bytes(10))


def moment_of(name: str) -> datetime:
    """The millisecond that `ordered_id` put into *name*; raises ValueError for another name."""
    return datetime.fromtimestamp(int.from_bytes(bits_of(name)[:6], "big") / 1000, UTC)


def named(kind: str, bits: bytes) -> str:
    """The name of what these 128 *bits* stand for."""
    # base32hex keeps the order of the bytes (RFC 4648, section 7).
    return f"{kind}_{base64.b32hexencode(bits).decode().rstrip('=').lower()}"


def bits_of(name: str) -> bytes:
    """The bits of a name; raises ValueError for one of another shape or a second spelling."""
    kind, _, encoded = name.partition("_")
    try:
        bits = base64.b32hexdecode(encoded.upper() + "======")
    except binascii.Error:
        raise ValueError("is no name of a row") from None
    if named(kind, bits) != name:
        raise ValueError("is no name of a row")
    return bits
