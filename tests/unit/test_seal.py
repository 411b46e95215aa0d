"""Sealed bytes, keyed hashes and honest rows: the published vectors, and every way to cheat."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import SealError
from consent.keys import seal
from tests.support.vectors import AUDIT, CONSENT, KEY, key_of

PLACE = ("profile", "sealed", "sub_1")


def test_the_vector_opens_and_is_made_again_from_its_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    vector = AUDIT["seal"]
    key, plaintext = key_of(vector["dek"]), vector["plaintext"].encode()
    sealed = bytes.fromhex(vector["sealed_hex"])
    monkeypatch.setattr(seal, "token_bytes", lambda size: key_of("TEST-R")[:size])

    assert seal.open_sealed(key, sealed, vector["aad_parts"]) == plaintext
    assert seal.seal(key, plaintext, vector["aad_parts"]) == sealed


def test_pae_counts_parts_and_lengths() -> None:
    assert seal.pae() == bytes(8)
    assert seal.pae(b"") == b"\x01" + bytes(7) + bytes(8)
    assert seal.pae(b"ab", b"c").hex() == CONSENT["pae"]["joined_hex"]


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


@given(
    st.lists(st.text(max_size=8), max_size=4),
    st.text(max_size=8) | st.text(min_size=250, max_size=260),
    st.text(max_size=8),
)
def test_what_is_bound_row_by_row_is_bound_as_all_parts_are(
    before: list[str], row: str, after: str
) -> None:
    parts = [*before, row, after]

    assert seal.bound(tuple(before), row, after) == seal.pae(*map(str.encode, parts))
    assert seal.open_sealed(KEY, seal.seal(KEY, b"x", parts), seal.bound(tuple(before), row, after))
