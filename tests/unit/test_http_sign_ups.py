from __future__ import annotations

from typing import Any

from gateway.http.parsing import parse_value
from gateway.http.sign_ups import SignUpRequest
from tests.support.bodies import pointers

HASH = "sha256:" + "0" * 64
SIGN_UP: dict[str, Any] = {
    "email": "ada@example.org",
    "purposes": ["newsletter"],
    "texts": [HASH],
}


def test_at_most_twenty_errors_are_named() -> None:
    many = {**SIGN_UP, "texts": ["x"] * 50}

    assert len(pointers(many, SignUpRequest)) == 20


def test_an_address_does_not_show_in_what_was_read() -> None:
    read = parse_value(SIGN_UP, SignUpRequest)

    assert "ada" not in repr(read)
