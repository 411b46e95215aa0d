"""Texts as they travel, encoded line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import relaxed, transfer

a_line = st.text("a .\t=üé", max_size=160) | st.sampled_from(["From a", "." * 80, "a" * 77, " "])


@given(st.lists(a_line, min_size=1))
def test_lines_encoded_one_by_one_are_the_text_encoded(given_lines: list[str]) -> None:
    raws = [transfer.lines_within(f"{line}\n") for line in given_lines]
    whole = b"".join(raws)

    quoted = b"".join(map(transfer.quoted, raws))

    assert quoted == transfer.quoted(whole)
    assert b"".join(map(relaxed.lines, map(transfer.quoted, raws))) == relaxed.lines(quoted)
    assert b"".join(map(relaxed.lines, raws)) == relaxed.lines(whole)


@given(st.lists(a_line, min_size=2), st.integers(1))
def test_what_decides_the_encoding_adds_up(given_lines: list[str], at: int) -> None:
    raws = [transfer.lines_within(f"{line}\n") for line in given_lines]
    first, second = b"".join(raws[: at % len(raws)]), b"".join(raws[at % len(raws) :])

    added = transfer.nature(first) + transfer.nature(second)

    assert added == transfer.nature(first + second)


@pytest.mark.parametrize("text", ["a  b \t\n \n", "Grüße  \n", "From me  \n"])
def test_what_is_hashed_is_what_is_sent_in_its_relaxed_form(text: str) -> None:
    made = transfer.encoded(text)

    assert made.relaxed == relaxed.lines(made.wire)
