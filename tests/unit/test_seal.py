"""Sealed bytes, keyed hashes and honest rows: the published vectors, and every way to cheat."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import KeyMissing, KeyUnusable, SealError
from consent.honesty import consent_mac, honest
from consent.keys import blind, seal
from consent.keys.vault import Broken, Compartment, Vault
from consent.keys.wrapping import Wrapper
from consent.model import Evidence, State
from storage.secret import Secret

VECTORS = Path(__file__).parent.parent / "vectors"
AUDIT = json.loads((VECTORS / "audit.json").read_text("utf-8"))
OURS = json.loads((VECTORS / "consent.json").read_text("utf-8"))

KEY = hashlib.sha256(b"a key").digest()
PLACE = ("profile", "sealed", "sub_1")


def key_of(label: str) -> bytes:
    return hashlib.sha256(label.removeprefix("SHA-256('").removesuffix("')").encode()).digest()


def test_the_vector_opens_and_is_made_again_from_its_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    vector = AUDIT["seal"]
    key, plaintext = key_of(vector["dek"]), vector["plaintext"].encode()
    sealed = bytes.fromhex(vector["sealed_hex"])
    monkeypatch.setattr(seal, "token_bytes", lambda size: key_of("TEST-R")[:size])

    assert seal.open_sealed(key, sealed, vector["aad_parts"]) == plaintext
    assert seal.seal(key, plaintext, vector["aad_parts"]) == sealed


def test_a_vault_binds_to_its_place_as_the_vector_does() -> None:
    vector = AUDIT["seal"]
    vault = Vault({"sub_1": {"profile": Secret(key_of(vector["dek"]))}})

    opened = vault.open("sub_1", "profile", PLACE, bytes.fromhex(vector["sealed_hex"]))

    assert opened == b"ada@example.org"


def test_pae_counts_parts_and_lengths() -> None:
    assert seal.pae() == bytes(8)
    assert seal.pae(b"") == b"\x01" + bytes(7) + bytes(8)
    assert seal.pae(b"ab", b"c").hex() == OURS["pae"]["joined_hex"]


@given(st.lists(st.binary(max_size=12), max_size=4), st.lists(st.binary(max_size=12), max_size=4))
def test_two_lists_of_parts_never_give_the_same_bytes(one: list[bytes], two: list[bytes]) -> None:
    assert (seal.pae(*one) == seal.pae(*two)) == (one == two)


@given(st.binary(max_size=300), st.lists(st.text(max_size=8), max_size=4))
def test_what_is_sealed_opens_and_has_grown_by_the_overhead(data: bytes, aad: list[str]) -> None:
    sealed = seal.seal(KEY, data, aad)

    assert len(sealed) == len(data) + seal.OVERHEAD
    assert seal.open_sealed(KEY, sealed, aad) == data


@given(st.data())
def test_no_altered_byte_opens(data: st.DataObject) -> None:
    sealed = bytearray(seal.seal(KEY, b"ada@example.org", PLACE))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(SealError):
        seal.open_sealed(KEY, bytes(sealed), PLACE)


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_a_seal_error(data: bytes) -> None:
    with pytest.raises(SealError):
        seal.open_sealed(KEY, data, PLACE)
    with pytest.raises(SealError):
        seal.open_sealed(KEY, b"\x01\x01" + data, PLACE)


def test_sealed_bytes_do_not_open_elsewhere_or_under_another_key() -> None:
    sealed = seal.seal(KEY, b"x", PLACE)

    for key, aad in (
        (KEY, ("profile", "sealed", "sub_2")),
        (KEY, ("profile", "sealedsub_1", "")),
        (hashlib.sha256(b"another").digest(), PLACE),
    ):
        with pytest.raises(SealError):
            seal.open_sealed(key, sealed, aad)


def test_the_same_text_never_seals_to_the_same_bytes() -> None:
    assert seal.seal(KEY, b"x", PLACE) != seal.seal(KEY, b"x", PLACE)


def test_a_seal_error_says_nothing_of_what_was_sealed() -> None:
    sealed = seal.seal(KEY, b"ada@example.org", PLACE)

    with pytest.raises(SealError) as caught:
        seal.open_sealed(KEY, sealed[:-1], PLACE)

    assert str(caught.value) == "sealed bytes do not open"
    assert caught.value.__context__ is None


# Vaults

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


# Wrapping


def test_a_key_unwraps_only_under_its_epoch_and_name() -> None:
    wrapper = Wrapper({1: Secret(KEY), 2: Secret(KEY)}, 2)
    key = Secret(b"k" * 32)
    wrapped = wrapper.wrap(key, "dek", "sub_1", "profile")

    assert wrapper.unwrap(2, wrapped, "dek", "sub_1", "profile") == key
    for epoch, name in (
        (1, ("dek", "sub_1", "profile")),
        (3, ("dek", "sub_1", "profile")),
        (2, ("dek", "sub_2", "profile")),
        (2, ("dek", "sub_1", "evidence")),
    ):
        with pytest.raises(KeyUnusable):
            wrapper.unwrap(epoch, wrapped, *name)


def test_the_active_epoch_must_be_in_the_keyring() -> None:
    with pytest.raises(KeyUnusable):
        Wrapper({1: Secret(KEY)}, 2)


def test_the_wrapping_vector_unwraps() -> None:
    vector = OURS["wrap"]
    wrapper = Wrapper({vector["epoch"]: Secret(key_of(vector["kek"]))}, vector["epoch"])

    key = wrapper.unwrap(vector["epoch"], bytes.fromhex(vector["wrapped_hex"]), *vector["name"])

    assert key == Secret(key_of(vector["dek"]))


# Keyed hashes


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


# Honest rows

WRITTEN: dict[str, Any] = {
    "id": "con_1",
    "subject": "sub_1",
    "purpose": "newsletter",
    "text_hash": "sha256:a",
    "state": State.CONFIRMED,
    "evidence": Evidence.PROVEN,
    "requested_at": datetime(2026, 11, 23, 9, tzinfo=UTC),
    "decided_at": datetime(2026, 11, 23, 9, 5, 0, 250, tzinfo=UTC),
    "ends_at": None,
    "eid": bytes(range(16)),
}


def test_the_mac_of_a_row_is_the_vector() -> None:
    vector = OURS["consent_mac"]

    assert consent_mac(Secret(key_of(vector["key"])), **WRITTEN).hex() == vector["mac_hex"]


@pytest.mark.parametrize(
    ("column", "forged"),
    [
        ("id", "con_2"),
        ("subject", "sub_2"),
        ("purpose", "offers"),
        ("text_hash", "sha256:b"),
        ("state", State.WITHDRAWN),
        ("evidence", Evidence.ASSERTED),
        ("requested_at", datetime(2025, 11, 23, 9, tzinfo=UTC)),
        ("decided_at", datetime(2026, 11, 23, 9, 5, 0, 251, tzinfo=UTC)),
        ("decided_at", None),
        ("ends_at", datetime(2029, 1, 1, tzinfo=UTC)),
        ("eid", bytes(16)),
    ],
)
def test_a_row_with_any_column_altered_is_not_honest(column: str, forged: object) -> None:
    key = Secret(KEY)
    stored = consent_mac(key, **WRITTEN)

    assert honest(stored, consent_mac(key, **WRITTEN))
    assert not honest(stored, consent_mac(key, **{**WRITTEN, column: forged}))


def test_a_moment_is_the_same_in_every_time_zone() -> None:
    elsewhere = WRITTEN["decided_at"].astimezone(timezone(timedelta(hours=5)))
    key = Secret(KEY)

    assert consent_mac(key, **WRITTEN) == consent_mac(key, **{**WRITTEN, "decided_at": elsewhere})


def test_values_cannot_move_from_one_column_to_the_next() -> None:
    key = Secret(KEY)
    shifted = {**WRITTEN, "id": "con_1s", "subject": "ub_1"}

    assert consent_mac(key, **WRITTEN) != consent_mac(key, **shifted)
