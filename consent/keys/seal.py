"""Sealing bytes under a key, bound to the place they belong to (docs/formats/seal.md).

Every seal draws a fresh 256-bit salt and derives its own cipher key and nonce
from it, so nodes and restored machines need not agree on counters. The key
commitment makes sealed bytes open under one key only; AES-GCM alone does not.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from functools import lru_cache
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent.errors import SealError

OVERHEAD = 82  # bytes that sealing adds

_HEAD = b"\x01\x01"  # version, suite
_INFO = b"consentgw/seal/v1"
_SALT = 32
_COMMITMENT = 32
_BODY = len(_HEAD) + _SALT + _COMMITMENT
_SHORT = 256  # as nearly every part is
_SHA256 = SHA256()
_LENGTHS = [size.to_bytes(8, "little") for size in range(_SHORT)]


def pae(*parts: bytes) -> bytes:
    """Join parts so that no two lists give the same bytes (pre-authentication encoding)."""
    joined = [len(parts).to_bytes(8, "little")]
    for part in parts:
        size = len(part)
        joined += (_LENGTHS[size] if size < _SHORT else size.to_bytes(8, "little"), part)
    return b"".join(joined)


@lru_cache(maxsize=256)
def _around(before: tuple[str, ...], after: str) -> tuple[bytes, bytes]:
    """What stands around the length of a row's name and the name, for all rows of a column."""
    parts = [*map(str.encode, before), b"", after.encode()]
    behind = len(pae(parts[-1]))  # the number of its parts aside, and so is the empty part before
    whole = pae(*parts)
    return whole[:-behind], whole[len(whole) - behind + 8 :]


def bound(before: tuple[str, ...], row: str, after: str) -> bytes:
    """As `pae` of all these; what stands around *row* is kept, so let that alone vary."""
    head, tail = _around(before, after)
    raw = row.encode()
    size = len(raw)
    number = _LENGTHS[size] if size < _SHORT else size.to_bytes(8, "little")
    return b"".join((head, number, raw, tail))


def _encoded(aad: Sequence[bytes | str]) -> list[bytes]:
    return [part.encode() if isinstance(part, str) else part for part in aad]


Aad = bytes | Sequence[bytes | str]  # parts, or what `bound` made of them


def seal(key: bytes, plaintext: bytes, aad: Aad) -> bytes:
    """Encrypt *plaintext*; it opens only under the same key and the same *aad*."""
    salt = token_bytes(_SALT)
    cipher, nonce, commitment = _derive(key, salt)
    sealed = AESGCM(cipher).encrypt(nonce, plaintext, _bound(aad))
    return _HEAD + salt + commitment + sealed


def open_sealed(key: bytes, sealed: bytes, aad: Aad) -> bytes:
    """Decrypt what `seal` made. Raises `SealError` for anything else, and never says why."""
    plaintext = _try_open(key, sealed, aad)
    if plaintext is None:
        raise SealError
    return plaintext


def _try_open(key: bytes, sealed: object, aad: Aad) -> bytes | None:
    # Of any type: SQLite keeps anything anywhere.
    if not isinstance(sealed, bytes) or len(sealed) < OVERHEAD or not sealed.startswith(_HEAD):
        return None
    salt, stored = sealed[len(_HEAD) : len(_HEAD) + _SALT], sealed[len(_HEAD) + _SALT : _BODY]
    cipher, nonce, commitment = _derive(key, salt)
    if not hmac.compare_digest(stored, commitment):
        return None
    try:
        return AESGCM(cipher).decrypt(nonce, sealed[_BODY:], _bound(aad))
    except InvalidTag:
        return None


def _derive(key: bytes, salt: bytes) -> tuple[bytes, bytes, bytes]:
    derived = HKDF(_SHA256, 76, salt, _INFO).derive(key)
    return derived[:32], derived[32:44], derived[44:]


def _bound(aad: Aad) -> bytes:
    return aad if isinstance(aad, bytes) else pae(*_encoded(aad))
