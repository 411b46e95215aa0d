from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.meaning import meaning_of

SAID = b'{"a": [1, {"b": "\xc3\xa4/"}], "c": null}'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"c":null,"a":[1,{"b":"\xc3\xa4/"}]}', id="order and space"),
        pytest.param(b'\xef\xbb\xbf{"a": [1, {"b": "\xc3\xa4/"}], "c": null}\r\n', id="its edges"),
        pytest.param(b'{"\\u0061": [1, {"b": "\\u00e4\\/"}], "c": null}', id="escapes"),
        pytest.param(b'{"a": [1.0, {"b": "\xc3\xa4/"}], "c": null}', id="1.0"),
        pytest.param(b'{"a": [10e-1, {"b": "\xc3\xa4/"}], "c": null}', id="10e-1"),
        pytest.param(b'{"a": 7, "a": [1, {"b": "\xc3\xa4/"}], "c": null}', id="the last counts"),
    ],
)
def test_what_says_the_same_has_one_meaning(body: bytes) -> None:
    assert meaning_of(body) == meaning_of(SAID)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a": [1, {"b": "\xc3\xa4/"}]}', id="without a null"),
        pytest.param(b'{"a": [{"b": "\xc3\xa4/"}, 1], "c": null}', id="order of a list"),
        pytest.param(b'{"a": ["1", {"b": "\xc3\xa4/"}], "c": null}', id="a text"),
        pytest.param(b'{"a": [true, {"b": "\xc3\xa4/"}], "c": null}', id="truth"),
        pytest.param(b'{"a": [1, {"b": "a\xcc\x88/"}], "c": null}', id="another normal form"),
        pytest.param(b'{"a": [1, {"b": " \xc3\xa4/"}], "c": null}', id="a space in a text"),
        pytest.param(b'{"a": [1, {"b": "\xc3\xa4/"}], "c": null, "a": 7}', id="the last counts"),
        pytest.param(b'{"a": [1.5, {"b": "\xc3\xa4/"}], "c": null}', id="another number"),
    ],
)
def test_what_says_something_else_has_another(body: bytes) -> None:
    assert meaning_of(body) != meaning_of(SAID)


def test_large_numbers_are_not_taken_for_each_other() -> None:
    assert meaning_of(b"[9007199254740993]") != meaning_of(b"[9007199254740992]")
    assert meaning_of(b"[1e20]") == meaning_of(b"[100000000000000000000]")
    assert meaning_of(b"[-0.0]") == meaning_of(b"[0]")


@pytest.mark.parametrize("number", [b"1e308", b"1e21", b"1e20", b"9e9", b"-1e300", b"1e-300"])
def test_a_body_of_short_numbers_has_no_long_meaning(number: bytes) -> None:
    """Of 16 MB, which anybody with a key may send, one of 837 MB was made, in 2 GB of memory."""
    body = b"[" + b",".join([number] * 1000) + b"]"

    assert len(meaning_of(body)) <= 6 * len(body)
    assert meaning_of(body) == meaning_of(body.replace(b"e", b".0E"))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[NaN", b"[1e999]", b"[" * 100_000, b"[" + b"1" * 5000 + b"]"],
    ids=["nothing", "half", "bytes", "no number", "infinite", "deep", "long"],
)
def test_what_cannot_be_read_is_its_own_meaning(body: bytes) -> None:
    assert meaning_of(body) == body


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**53) + 1, 2**53 - 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON, JSON)
def test_it_tells_apart_what_rfc_8785_tells_apart(one: Any, other: Any) -> None:
    same = rfc8785.dumps(one) == rfc8785.dumps(other)

    spelled = meaning_of(json.dumps(one, indent=1).encode())
    assert (spelled == meaning_of(json.dumps(other).encode())) is same
    assert spelled == meaning_of(rfc8785.dumps(one))
