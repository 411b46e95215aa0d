"""Names for rows: opaque, with a prefix that says the kind."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime


def random_id(kind: str) -> str:
    """A name of 128 random bits that says nothing, not even when it was made."""
    return f"{kind}_{_base32(secrets.token_bytes(16))}"


def ordered_id(kind: str, now: datetime) -> str:
    """A name that sorts by *now* (milliseconds), so that new rows lie together in an index."""
    moment = int(now.timestamp() * 1000).to_bytes(6, "big")
    return f"{kind}_{_base32(moment + secrets.token_bytes(10))}"


def _base32(raw: bytes) -> str:
    # base32hex keeps the order of the bytes (RFC 4648, section 7).
    return base64.b32hexencode(raw).decode().rstrip("=").lower()
