"""A vault seals and opens for the people it was made for, and tells damage from erasure."""

from __future__ import annotations

import pytest

from consent.errors import KeyMissing, KeyUnusable, SealError
from consent.keys.vault import Broken, Compartment, Vault
from storage.secret import Secret
from tests.support.vectors import AUDIT, KEY, key_of

PLACE = ("profile", "sealed", "sub_1")


def test_a_vault_binds_to_its_place_as_the_vector_does() -> None:
    vector = AUDIT["seal"]
    vault = Vault({"sub_1": {"profile": Secret(key_of(vector["dek"]))}})

    opened = vault.open("sub_1", "profile", PLACE, bytes.fromhex(vector["sealed_hex"]))

    assert opened == b"ada@example.org"


VAULT = Vault(
    {
        "sub_1": {"profile": Secret(KEY), "evidence": Secret(KEY[::-1])},
        "sub_2": {"profile": Broken(7), "evidence": Secret(KEY)},
        "sub_3": {"evidence": Secret(KEY)},
    }
)

PROFILE, EVIDENCE = Compartment.PROFILE, Compartment.EVIDENCE


def test_a_vault_has_a_key_only_when_it_is_there_and_whole() -> None:
    people = ("sub_1", "sub_2", "sub_3", "sub_4")

    assert [VAULT.has(one, PROFILE) for one in people] == [True, False, False, False]
    assert [VAULT.has(one, EVIDENCE) for one in people] == [True, True, True, False]
    assert [VAULT.has(one, PROFILE, EVIDENCE) for one in people] == [True, False, False, False]


def test_a_missing_key_opens_nothing_and_seals_nothing() -> None:
    assert VAULT.open("sub_3", "profile", PLACE, b"whatever") is None
    with pytest.raises(KeyMissing):
        VAULT.seal("sub_3", "profile", PLACE, b"x")


def test_a_key_that_cannot_be_unwrapped_is_damage_not_erasure() -> None:
    for use in (VAULT.open, VAULT.seal):
        with pytest.raises(KeyUnusable) as caught:
            use("sub_2", "profile", PLACE, b"x")
        assert caught.value.epoch == 7


def test_a_compartment_does_not_open_as_another() -> None:
    same = Vault({"sub_1": {"profile": Secret(KEY), "evidence": Secret(KEY)}})
    sealed = same.seal("sub_1", "profile", PLACE, b"x")

    with pytest.raises(SealError):
        same.open("sub_1", "evidence", PLACE, sealed)
