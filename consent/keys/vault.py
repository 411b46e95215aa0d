"""The data keys of a few people, unwrapped: what seals and opens for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from consent.errors import KeyMissing, KeyUnusable
from consent.keys.seal import bound, open_sealed, seal
from storage.secret import Secret

_DOMAIN = "consentgw/pii/v1"


class Compartment(StrEnum):
    """What is erased together: each has a key of its own per person."""

    PROFILE = "profile"  # what operations need
    EVIDENCE = "evidence"  # proof of consent; lives longer, read by few
    STAFF = "staff"  # who an operator is, under a key of theirs as that, and no subject's


# Of everybody whom we know. Who asks for all compartments of a person means these.
OF_PEOPLE: Final = (Compartment.PROFILE, Compartment.EVIDENCE)


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands for a key that is in the store and cannot be unwrapped."""

    epoch: int


class Vault:
    """Seals and opens for the people it was made for; satisfies audit's Sealer and Opener.

    Keys are those that the store held when the vault was made, so use one only
    under a gate that says the person is live, and do not keep it.
    """

    def __init__(self, keys: Mapping[str, Mapping[str, Secret | Broken]]) -> None:
        self._keys = keys

    def only(self, subject: str) -> Vault:
        """The same for one person: what is kept for that person's sake opens nobody else's."""
        return Vault({subject: self._keys.get(subject, {})})

    def has(self, subject: str, compartment: Compartment, *others: Compartment) -> bool:
        """Whether these parts of what is kept about a person can be sealed and opened.

        Name what the act needs, no more: a compartment that is added later is
        missing for everybody who was known before.
        """
        held = self._keys.get(subject, {})
        return all(isinstance(held.get(needed), Secret) for needed in (compartment, *others))

    def seal(
        self, subject: str, compartment: str, place: tuple[str, str, str], plaintext: bytes
    ) -> bytes:
        """Seal under that person's key, bound to *place* (table, column, row).

        Raises `KeyMissing` where there is no key, `KeyUnusable` where it cannot be unwrapped.
        """
        key = self._key(subject, compartment)
        if key is None:
            raise KeyMissing(subject, compartment)
        return seal(key, plaintext, _aad(compartment, place))

    def open(
        self, subject: str, compartment: str, place: tuple[str, str, str], sealed: bytes
    ) -> bytes | None:
        """Open, or return None when the key is gone.

        Raises `SealError` for altered or moved bytes, and `KeyUnusable` where
        the key is there and cannot be unwrapped: that is damage, not erasure.
        """
        key = self._key(subject, compartment)
        return None if key is None else open_sealed(key, sealed, _aad(compartment, place))

    def _key(self, subject: str, compartment: str) -> bytes | None:
        key = self._keys.get(subject, {}).get(compartment)
        if isinstance(key, Broken):
            raise KeyUnusable(key.epoch)
        return None if key is None else key.reveal()


def _aad(compartment: str, place: tuple[str, str, str]) -> bytes:
    table, column, row = place
    return bound((_DOMAIN, table, column), row, compartment)
