"""Rows that whoever writes the database cannot forge: a MAC over what they grant.

The key is outside the database. A MAC does not show that a row is missing, nor
that an old row was put back whole: comparing rows with the log does, which
`gateway audit verify` does (`docs/adr/0012-rows-beside-the-log.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Any, NamedTuple

from storage.errors import KeyringBehind
from storage.keysets import KeySet
from storage.secret import Secret

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOMAIN = "consentgw/row/v1"
_BLOCK = 64  # of SHA-256 (RFC 2104)
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))

Value = str | bytes | int | datetime | None
_Mac = Callable[[Sequence[object]], bytes]


class Signed(NamedTuple):
    """What a row carries: the number of the key, and the MAC."""

    kid: int
    mac: bytes


class RowKeys:
    """Signs rows, and tells ours from those that somebody else wrote (docs/formats/rows.md).

    Several rows are looked at for every mail, so what depends on key and table
    alone is computed once, for as long as the keys stand.
    """

    def __init__(self, keys: KeySet) -> None:
        self.keys = keys

    def sign(self, table: str, *values: object, kid: int | None = None) -> Signed:
        """The MAC of a row of *table*; sign anew with every change of these values.

        Texts, bytes, whole numbers, moments and None; anything else is a TypeError.
        Give *kid* where the row holds more that was made with that key.
        """
        kid = self.keys.kid if kid is None else kid
        return Signed(kid, self._mac(kid, table)(values))

    def fits(self, table: str, kid: object, mac: Any, values: Sequence[object]) -> bool:
        """Say whether a gateway wrote this row, whatever it holds.

        A database that somebody else wrote may hold any type in any column. Raises
        `KeyringBehind` alone: the row may be of a gateway whose newest key we lack.
        """
        try:
            made = self.keys.made.get((kid, table)) or self._mac(kid, table)
            return compare_digest(mac, made(values))
        except KeyError:
            if self.keys.is_elsewhere(kid):
                raise KeyringBehind from None
            return False
        except (TypeError, ValueError, OverflowError):
            return False

    def keyed(self, use: str, raw: bytes) -> Signed:
        """What stands in a row for a token that somebody shows: who writes rows cannot make one."""
        return self.sign(use, raw)

    def all_keyed(self, use: str, raw: bytes) -> dict[int, bytes]:
        """The same under every key that a row may name, for finding it; see `require_whole`."""
        return {kid: self._mac(kid, use)((raw,)) for kid in self.keys.live}

    def require_whole(self) -> None:
        """Raise `KeyringBehind` where what our keys do not find may stand under another one."""
        if self.keys.is_behind:
            raise KeyringBehind

    def _mac(self, kid: object, table: str) -> _Mac:
        """Raises `KeyError` for a key that never was ours, or is destroyed."""
        made = self.keys.made  # of the keys as they stand, or it goes with those that stood before
        found: _Mac | None = made.get((kid, table))
        if found is None:
            secret = self.keys.get(kid)
            if secret is None:
                raise KeyError(kid)
            found = made[kid, table] = _mac_of(secret, table)
        return found


def _mac_of(secret: Secret, table: str) -> _Mac:
    """HMAC-SHA-256 over domain, table and values, from states after key, domain and table."""
    padded = secret.reveal().ljust(_BLOCK, b"\0")
    if len(padded) != _BLOCK:
        raise ValueError("a MAC key has at most 64 bytes")
    outer = sha256(padded.translate(_OUTER))
    inner = sha256(padded.translate(_INNER) + _encoded((_DOMAIN, table)))

    def mac(values: Sequence[object]) -> bytes:
        within, whole = inner.copy(), outer.copy()
        within.update(_encoded(values))
        whole.update(within.digest())
        return whole.digest()

    return mac


def _head(text: str) -> str:
    return f"s{len(text)}:"


_SHORT = 256
_HEADS = [f"s{length}:" for length in range(_SHORT)]


def _encoded(values: Sequence[Any]) -> bytes:
    """Values as bytes that no other values have: each by its type, texts by their length."""
    parts: list[str] = []
    for value in values:
        kind = type(value)  # of all ways to tell them apart this takes the least time
        if kind is str:
            parts += _head(value) if len(value) >= _SHORT else _HEADS[len(value)], value
        elif value is None:
            parts.append("-")
        elif kind is datetime:
            # Microseconds, as both databases give them back; whatever its zone.
            since = value - _EPOCH
            parts.append(f"t{since.days}.{since.seconds}.{since.microseconds};")
        elif kind is bytes:
            parts.append(f"b{value.hex()};")
        elif isinstance(value, str):  # a word of ours
            parts += _head(value), value
        elif isinstance(value, int):
            parts.append(f"i{value:d};")
        else:
            raise TypeError("a row holds texts, bytes, numbers and moments")
    return "".join(parts).encode()
