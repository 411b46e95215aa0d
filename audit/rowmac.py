"""What keeps a row honest against whoever can write to the database but has no key."""

from __future__ import annotations

from hashlib import sha256

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_PENDING = b"consentgw/audit/pending/v1\0"
_ENTRY = b"consentgw/audit/entry/v1\0"


class RowMac:
    """HMAC-SHA-256 (RFC 2104) over domain, log, number and entry.

    Everything before the entry has a fixed width, so two rows never share a
    message. The states after key, domain and log are kept: verifying a log
    costs half of what `hmac.digest` takes.
    """

    def __init__(self, key: bytes, log: str) -> None:
        if not 16 <= len(key) <= _BLOCK:
            raise ValueError("a MAC key has 16 to 64 bytes")
        padded = key.ljust(_BLOCK, b"\0")
        name = sha256(log.encode()).digest()
        self._outer = sha256(padded.translate(_OUTER))
        self._pending = sha256(padded.translate(_INNER) + _PENDING + name)
        self._entry = sha256(padded.translate(_INNER) + _ENTRY + name)

    def pending(self, n: int, entry: bytes) -> bytes:
        """For a staged row: it was staged by a gateway, as number *n*."""
        inner = self._pending.copy()
        inner.update(n.to_bytes(8, "big") + entry)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def entry(self, index: int, entry: bytes) -> bytes:
        """For a sequenced row: it was put at *index* by a sequencer."""
        inner = self._entry.copy()
        inner.update(index.to_bytes(8, "big") + entry)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()
