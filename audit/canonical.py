"""The one way to write a value: RFC 8785 JSON, and base64 without choices.

Texts, whole numbers, truth, null, lists and objects with ASCII names: for these
the C encoder of the standard library writes the bytes of RFC 8785, many times
faster than a general one. Anything else is refused.
"""

from __future__ import annotations

import base64
import json
from typing import Any

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode
_LARGEST = 2**53 - 1  # beyond it, I-JSON numbers are not exact
_PLAIN = frozenset({str, bool, type(None)})  # as nearly everything is that an event holds


def canonical(value: Any) -> bytes:
    """The one way to write *value*; floats and names beyond ASCII raise `TypeError`."""
    _check(value)
    return _encode(value).encode()


def _check(value: Any) -> None:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, dict):
        if not "".join(value).isascii():  # a name that is no text is a TypeError, too
            raise TypeError("a name must be ASCII")
        value = value.values()
    elif isinstance(value, int):
        if abs(value) > _LARGEST:
            raise TypeError("a number too large for JSON")
        return
    elif not isinstance(value, list | tuple):
        raise TypeError(f"no canonical form for {type(value).__name__}")
    for inner in [one for one in value if type(one) not in _PLAIN]:
        _check(inner)


def encode(raw: bytes) -> str:
    """Base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(raw).decode()


def decode(text: str) -> bytes:
    """Read base64 that was written as `encode` writes it; any other raises `ValueError`."""
    raw = base64.b64decode(text, validate=True)
    if encode(raw) != text:
        raise ValueError("base64 with stray bits")
    return raw
