"""Keyed hashes: finding a row by a value that the row does not hold.

Plain hashes of addresses can be guessed, so none exist anywhere; each use has
a key or a domain of its own, so that two tables cannot be joined.
"""

from __future__ import annotations

from consent.keys.seal import pae
from storage.secret import Secret

_EMAIL = "consentgw/bidx/email/v1"
_SUPPRESSION = "consentgw/suppression/v1"


def blind_index(key: Secret, canonical: str) -> bytes:
    """The look-up index of a canonical address. It is personal data and goes with the person."""
    return keyed(key, _EMAIL, canonical)[:16]


def suppression_hash(key: Secret, canonical: str) -> bytes:
    """The name of a canonical address in the suppression list."""
    return keyed(key, _SUPPRESSION, canonical)


def keyed(key: Secret, domain: str, value: str) -> bytes:
    """Hash *value* under *key*; the same value in another *domain* cannot be recognised."""
    return key.mac(pae(domain.encode(), value.encode()))
