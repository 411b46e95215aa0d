"""What a form was told is shown to be corrected; what could lead somewhere is not shown."""

from __future__ import annotations

import pytest

from consent import answers

ADDRESSES = [
    "http://x",
    "x://y",
    "//x",
    "www.x",
    "WWW.X",
    "x@y",
    "x.yy",
    "x.yy/z",
    "x\uff0eyy",
    "\uff48ttp:\uff0f\uff0fx",
    "w\u00adww.x",
    "x\u2024yy",
    "x.y\ufe0fy",
    "x.\u034fyy",
    "x\u034f.yy",
    "x.y\U000e0100y",
    "x\u2800.yy",
    "x\u0338.yy",
    "www\ufe0f.x",
    "x/\ufe0f/y",
    "x:\\\\y",
    "\U0001f600.yy",
    "i\u2764\ufe0f.yy",
    "x.\u092d\u093e\u0930\u0924",
    "192.0.2.7/x",
]
NAMES = [
    "Ada",
    "J.R.R. Tolkien",
    "Dr. Meyer",
    "O'Neill",
    "Anne-Marie",
    "Jos\u00e9",
    "3.5",
    "\u5c71\u7530",
    "",
    "a / b",
    "... und Co",
    "1.2.2027",
    "\u092e\u0940\u0930\u093e",
    "Ada \u2764\ufe0f",
]


@pytest.mark.parametrize("value", ADDRESSES)
def test_an_address_of_any_kind_is_one(value: str) -> None:
    assert answers.looks_like_an_address(value)


@pytest.mark.parametrize("value", NAMES)
def test_a_name_is_none(value: str) -> None:
    assert not answers.looks_like_an_address(value)


def test_what_stands_is_as_shown_or_as_typed_anew() -> None:
    said = {"first": "Ada", "last": "Byron", "site": "x.example", "more": "y.example"}

    stands = answers.settled(said, {"last": " ", "more": "z.example", "other": "Eve"})

    assert answers.entered(said) == {"first": "Ada", "last": "Byron", "site": "", "more": ""}
    assert stands == {"first": "Ada", "more": "z.example"}


def test_of_a_request_that_may_be_somebody_elses_only_what_is_typed_stands() -> None:
    said = answers.unsaid({"first": "Tulpen!", "last": "Byron"})

    assert answers.entered(said) == {"first": "", "last": ""}
    assert answers.settled(said, {"first": "Ada", "other": "Eve"}) == {"first": "Ada"}
