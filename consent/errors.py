"""Why consent stops.

ConsentError
├── AddressError      what was typed is no address that can be mailed
├── StoredError       stored JSON that no release of ours wrote
├── SealError         sealed bytes were altered, moved, or made under another key
├── KeyringBehind    a live key of hashes of addresses is not in our keyring
├── TextError         bytes that are no wording in canonical form
└── KeyStoreError
    ├── KeyMissing    nothing can be sealed for this person: there is no key
    └── KeyUnusable   a key exists and cannot be unwrapped; to the log `KeyDamaged`

No error here carries an address, a key or what was sealed.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from audit.errors import KeyDamaged


class ConsentError(Exception):
    """Anything this package raises on purpose."""


class AddressProblem(StrEnum):
    """What is wrong with an address, without quoting it."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    CONTROL_CHARACTER = "control_character"
    NON_ASCII_LOCAL_PART = "non_ascii_local_part"
    MALFORMED = "malformed"


class AddressError(ConsentError, ValueError):
    """What was typed is no address that can be mailed."""

    def __init__(self, problem: AddressProblem) -> None:
        super().__init__(problem.value.replace("_", " "))
        self.problem = problem


class StoredError(ConsentError, ValueError):
    """Stored JSON that no release of ours wrote; never quotes it."""

    def __init__(self) -> None:
        super().__init__("stored facts cannot be read")


class SealError(ConsentError, ValueError):
    """Sealed bytes were altered, moved, cut, or made under another key; never says which."""

    def __init__(self) -> None:
        super().__init__("sealed bytes do not open")


class KeyringBehind(ConsentError):
    """Hashes of addresses are made with live keys that our keyring lacks: nobody is looked up."""

    def __init__(self, keys: Iterable[tuple[str, int]]) -> None:
        self.keys = tuple(f"{kind} {number}" for kind, number in sorted(keys))
        super().__init__(f"keys that the keyring lacks: {', '.join(self.keys)}")


class TextError(ConsentError, ValueError):
    """Bytes that are no wording in canonical form."""


class KeyStoreError(ConsentError):
    """The key store answered, and its answer cannot be used."""


class KeyMissing(KeyStoreError):
    """Nothing can be sealed for this person: the key was never made, or is destroyed."""

    def __init__(self, subject: str, compartment: str) -> None:
        super().__init__(f"no key for compartment {compartment}")
        self.subject = subject
        self.compartment = compartment


class KeyUnusable(KeyStoreError, KeyDamaged):
    """A key cannot be unwrapped: its epoch is not in our keyring, or its row was altered."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"a key wrapped under epoch {epoch} cannot be unwrapped")
        self.epoch = epoch
