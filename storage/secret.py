"""Key material that does not show itself."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

_BLOCK = 64  # of SHA-256 (RFC 2104)
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class Secret:
    """Bytes that never appear in a repr, a log line or a traceback's locals."""

    __slots__ = ("_states", "_value")

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._states: tuple[Any, Any] | None = None

    def reveal(self) -> bytes:
        """The bytes themselves; call it where they are used and nowhere else."""
        return self._value

    def mac(self, message: bytes) -> bytes:
        """HMAC-SHA-256 of *message* under this key.

        What depends on the key alone is computed once, and goes with this object: half of
        the time that `hmac.digest` takes, and a sign-up has a dozen.
        """
        if self._states is None:
            self._states = self._keyed()
        inner, outer = self._states[0].copy(), self._states[1].copy()
        inner.update(message)
        outer.update(inner.digest())
        digest: bytes = outer.digest()
        return digest

    def _keyed(self) -> tuple[Any, Any]:
        key = self._value if len(self._value) <= _BLOCK else sha256(self._value).digest()
        padded = key.ljust(_BLOCK, b"\0")
        return sha256(padded.translate(_INNER)), sha256(padded.translate(_OUTER))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a set of secrets would leak by timing

    def __repr__(self) -> str:
        return "Secret(…)"
