"""A wrapped key opens under its own epoch and name, and under no other."""

from __future__ import annotations

import pytest

from consent.errors import KeyUnusable
from consent.keys.wrapping import Wrapper
from storage.secret import Secret
from tests.support.rows import ROWS
from tests.support.vectors import CONSENT, KEY, key_of


def test_a_key_unwraps_only_under_its_epoch_and_name() -> None:
    wrapper = Wrapper({1: Secret(KEY), 2: Secret(KEY)}, 2, ROWS)
    key = Secret(b"k" * 32)
    wrapped = wrapper.wrap(2, key, "dek", "sub_1", "profile")

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
        Wrapper({1: Secret(KEY)}, 2, ROWS)


def test_the_wrapping_vector_unwraps() -> None:
    vector = CONSENT["wrap"]
    wrapper = Wrapper({vector["epoch"]: Secret(key_of(vector["kek"]))}, vector["epoch"], ROWS)

    key = wrapper.unwrap(vector["epoch"], bytes.fromhex(vector["wrapped_hex"]), *vector["name"])

    assert key == Secret(key_of(vector["dek"]))
