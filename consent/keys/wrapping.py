"""Wrapping keys under the key-encryption keys of the keyring."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from consent.errors import KeyUnusable, SealError
from consent.keys import epochs
from consent.keys.seal import open_sealed, seal
from storage.errors import StorageAway
from storage.secret import Secret

_DOMAIN = "consentgw/wrap/v1"
_PROOF = b"consentgw/kek-proof/v1"


class Wrapper:
    """Wraps under the active epoch, unwraps under any that the keyring holds.

    *keks* may get others while this is used. Which of them is active the key
    store says; *first* is where it was made before it did.
    """

    def __init__(self, keks: Mapping[int, Secret], first: int) -> None:
        if first not in keks:
            raise KeyUnusable(first)
        self._keks = keks
        self._first = first

    async def active(self, connection: AsyncConnection, database: str) -> int:
        """The epoch to wrap under, to the end of this transaction and no longer.

        `StorageAway` where only another node's keyring has it.
        """
        found = await epochs.active(connection, database)
        number = self._first if found is None else found
        if number not in self._keks:
            raise StorageAway(database)
        return number

    def wrap(self, epoch: int, key: Secret, *name: str) -> bytes:
        """Encrypt *key* under what `active` said; it unwraps only as the key of that *name*."""
        return seal(self._keks[epoch].reveal(), key.reveal(), _aad(name, epoch))

    def lacking(self, found: set[int]) -> set[int]:
        """Those of the epochs that were *found* which are not in our keyring."""
        return found - self._keks.keys()

    def usable(self, epoch: int, wrapped: bytes, *name: str) -> Secret | None:
        """As `unwrap`; None where we hold the epoch, so that somebody altered the row."""
        try:
            return self.unwrap(epoch, wrapped, *name)
        except KeyUnusable:
            if epoch in self._keks:
                return None
            raise

    def unwrap(self, epoch: int, wrapped: bytes, *name: str) -> Secret:
        """Decrypt a key. Raises `KeyUnusable` without its epoch, or where the row was altered."""
        kek = self._keks.get(epoch)
        if kek is None:
            raise KeyUnusable(epoch)
        try:
            return Secret(open_sealed(kek.reveal(), wrapped, _aad(name, epoch)))
        except SealError:
            raise KeyUnusable(epoch) from None


def proof(kek: Secret) -> str:
    """What may stand in the key store of a key, so that another one of its number is told apart."""
    return hmac.digest(kek.reveal(), _PROOF, "sha256")[:8].hex()


def _aad(name: tuple[str, ...], epoch: int) -> tuple[str, ...]:
    return (_DOMAIN, str(epoch), *name)
