"""Keyed hashes: the published vector, and domains that share nothing."""

from __future__ import annotations

from consent.keys import blind
from storage.secret import Secret
from tests.support.vectors import AUDIT, KEY, key_of


def test_the_blind_index_vector() -> None:
    vector = AUDIT["blind_index"]
    key = Secret(key_of(vector["key"]))

    assert blind.blind_index(key, vector["parts"][1]).hex() == vector["index_hex"]
    assert blind.keyed(key, *vector["parts"])[:16].hex() == vector["index_hex"]


def test_one_value_in_two_domains_cannot_be_recognised() -> None:
    key = Secret(KEY)
    index, stop = (f(key, "ada@example.org") for f in (blind.blind_index, blind.suppression_hash))

    assert len(index) == 16
    assert len(stop) == 32
    assert not stop.startswith(index)
