"""Wrapping keys under the key-encryption keys of the keyring."""

from __future__ import annotations

from collections.abc import Mapping

from consent.errors import KeyUnusable, SealError
from consent.keys.seal import open_sealed, seal
from storage.secret import Secret

_DOMAIN = "consentgw/wrap/v1"


class Wrapper:
    """Wraps under the active epoch, unwraps under any that the keyring holds."""

    def __init__(self, keks: Mapping[int, Secret], active: int) -> None:
        if active not in keks:
            raise KeyUnusable(active)
        self._keks = keks
        self.active = active

    def wrap(self, key: Secret, *name: str) -> bytes:
        """Encrypt *key*; it unwraps only as the key of that *name*."""
        return seal(self._keks[self.active].reveal(), key.reveal(), _aad(name, self.active))

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


def _aad(name: tuple[str, ...], epoch: int) -> tuple[str, ...]:
    return (_DOMAIN, str(epoch), *name)
