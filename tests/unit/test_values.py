"""How many values a body holds, counted without making them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http import values
from gateway.http.values import MOST_VALUES, holds_more
from tests.unit.test_meaning import JSON


def made_of(value: Any) -> int:
    """As many values and names as a parser makes of it."""
    if isinstance(value, dict):
        return 1 + len(value) + sum(made_of(one) for one in value.values())
    if isinstance(value, list):
        return 1 + sum(made_of(one) for one in value)
    return 1


@given(JSON, st.sampled_from([None, 1]), st.booleans(), st.integers(1, 9))
def test_what_is_made_is_never_more_than_was_counted(
    value: Any, indent: int | None, ascii_only: bool, piece: int
) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    made = made_of(value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "_PIECE", piece)
        assert made < 2 or holds_more(body, made - 2)
        assert not holds_more(body, 6 * made)


@pytest.mark.parametrize(
    "text",
    [b"a,b:c[d{", b'\\"', b"\\\\", b'\\\\\\",', b"\\u002c,", b"\\n,\\\\", "ä,ö".encode()],
    ids=["seams", "a quote", "a backslash", "all of them", "an escape", "a line", "beyond ASCII"],
)
@pytest.mark.parametrize("piece", [1, 2, 3, 5, 1 << 16])
def test_what_stands_in_a_text_is_no_value(
    monkeypatch: pytest.MonkeyPatch, text: bytes, piece: int
) -> None:
    monkeypatch.setattr(values, "_PIECE", piece)
    body = b'["' + text * 50 + b'","' + text * 50 + b'"]'

    assert holds_more(body, 5)
    assert not holds_more(body, 6)


MILLION = 1_000_000


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"1," * MILLION + b"1]",
        b"[" + b'"",' * MILLION + b'""]',
        b"[" + b"{}," * MILLION + b"{}]",
        b"[" * MILLION,
        b'{"a":' * MILLION,
        b'{"a":"' + b'","a":"' * MILLION + b'"}',
        b'""' * MILLION,
        b"\xef\xbb\xbf[" + b"1 , " * MILLION,
    ],
    ids=["numbers", "texts", "objects", "lists", "depth", "members", "quotes", "spaces"],
)
def test_many_are_found_whatever_they_are(body: bytes) -> None:
    assert holds_more(body, MOST_VALUES)
    assert not holds_more(body[:20_000], MOST_VALUES)


@pytest.mark.parametrize("byte", [b"a", b'"', b"\\", b" ", b"9", b"\x00", b"\xff"])
def test_what_is_no_json_is_gone_through_once(byte: bytes) -> None:
    holds_more(byte * 16 * MILLION, MOST_VALUES)
