"""What keeps a row honest against whoever can write to the database but has no key."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import Any

from audit.tables import audit_entry, audit_pending
from storage.errors import StorageAway
from storage.honesty import Signed
from storage.keysets import KeySet

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


# The columns that `RowMacs` looks at.
STAGED = tuple(audit_pending.c[name] for name in ("n", "entry", "mac", "kid"))
LOGGED = tuple(audit_entry.c[name] for name in ("leaf_index", "entry", "mac", "kid"))


class RowMacs:
    """The MACs of one log's rows under every key of a set; each row names its key.

    Of the rows of its successors too: those stand at other places. What was staged before the
    number *floor* was staged for a log that is closed.
    """

    def __init__(self, keys: KeySet, log: str, floor: int = 0) -> None:
        self.keys = keys
        self._log = log
        self._floor = floor

    def pending(self, n: int, entry: bytes) -> Signed:
        """For a row that is staged now."""
        kid = self.keys.kid
        return Signed(kid, self._under(kid).pending(n, entry))

    def entry(self, index: int, entry: bytes) -> Signed:
        """For a row that gets its index now."""
        kid = self.keys.kid
        return Signed(kid, self._under(kid).entry(index, entry))

    def staged(self, row: Any) -> bool:
        """Whether a gateway staged this sound row of `audit_pending`; may raise as `logged`."""
        mac = self._mac(row.kid)
        if mac is None or row.n < self._floor:
            return False
        return compare_digest(row.mac, mac.pending(row.n, row.entry))

    def logged(self, row: Any) -> bool:
        """Whether a gateway put this sound row of `audit_entry` at its index.

        Raises `StorageAway` where that may be one whose newest key we lack.
        """
        mac = self._mac(row.kid)
        return mac is not None and compare_digest(row.mac, mac.entry(row.leaf_index, row.entry))

    def _under(self, kid: int) -> RowMac:
        mac = self._mac(kid)
        if mac is None:
            raise StorageAway("keyring")  # it went between two statements of ours
        return mac

    def _mac(self, kid: int) -> RowMac | None:
        made = self.keys.made
        found: RowMac | None = made.get((kid, self._log))
        if found is None and (secret := self.keys.get(kid)) is not None:
            found = made[kid, self._log] = RowMac(secret.reveal(), self._log)
        if found is None and self.keys.is_elsewhere(kid):
            raise StorageAway("keyring")
        return found
