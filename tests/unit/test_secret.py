from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from storage.secret import Secret


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_its_macs_are_those_of_the_standard_library(key: bytes, messages: list[bytes]) -> None:
    secret = Secret(key)

    made = [secret.mac(message) for message in messages]

    assert made == [hmac.digest(key, message, "sha256") for message in messages]


def test_it_shows_nothing_after_it_was_used() -> None:
    secret = Secret(b"a key that nobody may see")
    secret.mac(b"something")

    assert repr(secret) == "Secret(…)"
