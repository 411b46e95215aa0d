"""Tokens have one spelling each, and say nothing."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consent import tokens

VECTOR = json.loads((Path(__file__).parent.parent / "vectors" / "consent.json").read_text())[
    "tokens"
]
HANDLE = bytes.fromhex(VECTOR["handle_hex"])


@pytest.mark.parametrize("route", ["unsubscribe", "why", "preferences"])
def test_the_links_of_a_handle_are_the_vector(route: str) -> None:
    token = tokens.link_token(HANDLE, route)
    digest = tokens.hash_of(token)

    assert token == VECTOR["links"][route]["token"]
    assert digest is not None
    assert digest.hex() == VECTOR["links"][route]["sha256_hex"]


def test_the_confirm_token_is_the_vector() -> None:
    digest = tokens.hash_of(VECTOR["confirm"]["token"])

    assert digest is not None
    assert digest.hex() == VECTOR["confirm"]["sha256_hex"]


def test_a_new_confirm_token_is_found_by_its_hash() -> None:
    token, digest = tokens.new_link_token()

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert tokens.hash_of(token) == digest
    assert tokens.new_link_token()[0] != token


def test_a_handle_has_128_bits_and_three_different_links() -> None:
    handle = tokens.new_handle()
    links = {tokens.link_token(handle, route) for route in ("unsubscribe", "why", "preferences")}

    assert len(handle) == 16
    assert len(links) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", link) for link in links)


def test_who_may_leave_may_switch_and_nothing_leads_back() -> None:
    leaves, switch = (tokens.link_token(HANDLE, one) for one in ("unsubscribe", "preferences"))

    assert tokens.derived(leaves, "preferences") == switch
    assert tokens.derived(switch, "unsubscribe") == switch != leaves
    for other in ("A" * 43, "A" * 21, "ü", ""):
        assert tokens.derived(other, "preferences") is None


@given(st.binary(max_size=48))
def test_bytes_survive_their_spelling(raw: bytes) -> None:
    assert tokens.decode(tokens.encode(raw)) == raw


@given(st.one_of(st.text(max_size=50), st.from_regex(r"[A-Za-z0-9_=+/-]{20,45}", fullmatch=True)))
@example("A" * 21 + "B")  # stray bits behind the last byte
@example("A" * 22 + "==")
@example("A" * 21 + "\n")
@example("Ａ" * 22)
def test_a_token_has_exactly_one_spelling_and_the_right_length(token: str) -> None:
    raw = tokens.decode(token)

    if raw is None:
        assert tokens.hash_of(token) is None
    else:
        assert tokens.encode(raw) == token
        expected = hashlib.sha256(raw).digest() if len(raw) in (16, 32) else None
        assert tokens.hash_of(token) == expected


@pytest.mark.parametrize(
    "token", ["", "A", "A" * 21 + "B", "A" * 22 + "==", "A" * 21 + "+", "A" * 23]
)
def test_what_was_never_ours_has_no_hash(token: str) -> None:
    assert tokens.hash_of(token) is None
