"""Wrapping keys under the key-encryption keys of the keyring."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

from sqlalchemy.ext.asyncio import AsyncConnection

from consent.errors import KeyUnusable, SealError
from consent.keys import epochs
from consent.keys.seal import open_sealed, seal
from storage.errors import StorageAway
from storage.honesty import RowKeys
from storage.secret import Secret

_DOMAIN = "consentgw/wrap/v1"
_PROOF = b"consentgw/kek-proof/v1"


class Wrapper:
    """Wraps under the active epoch, unwraps under any that the keyring holds.

    *keks* may get others while this is used. Which of them is active the key
    store says; *first* is where it was made before it did.
    """

    def __init__(self, keks: Mapping[int, Secret], first: int, rows: RowKeys) -> None:
        if first not in keks:
            raise KeyUnusable(first)
        self._keks = keks
        self._first = first
        self._rows = rows

    async def active(self, connection: AsyncConnection, database: str) -> int:
        """The epoch to wrap under, to the end of this transaction and no longer.

        `StorageAway` where only another node's keyring has it.
        """
        found = await epochs.active(connection, self._rows, self._keks, database)
        if found is None:
            return self._first
        if not found.held_by(proofs(self._keks)):
            raise StorageAway(database)
        return found.epoch

    @property
    def held(self) -> AbstractSet[int]:
        """The epochs whose key we have."""
        return self._keks.keys()

    def wrap(self, epoch: int, key: Secret, *name: str) -> bytes:
        """Encrypt *key* under what `active` said; it unwraps only as the key of that *name*."""
        return seal(self._keks[epoch].reveal(), key.reveal(), _aad(name, epoch))

    async def elsewhere(self, connection: AsyncConnection, numbers: Collection[int]) -> bool:
        """Whether another node's keyring has the key of any of these epochs, and ours does not."""
        return await epochs.elsewhere(connection, self._rows, numbers, proofs(self._keks))

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


def proofs(keks: Mapping[int, Secret]) -> dict[int, str]:
    """What tells the keys of a keyring, by epoch."""
    return {number: proof(key) for number, key in keks.items()}


def _aad(name: tuple[str, ...], epoch: int) -> tuple[str, ...]:
    return (_DOMAIN, str(epoch), *name)
