"""Plans give, to the byte, what encoding the whole text gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import transfer
from delivery.plan import Mark, Plan

MARK = Mark("secret")
HOSTILE = ("", " ", ".", "From me", "\r", "\n", "\r\n", "\u2028", "\x85", "=3D", "%s", "😀" * 40)
words = st.sampled_from(HOSTILE) | st.text() | st.text("a \t\n.=ü", max_size=200)


@given(st.lists(words, min_size=1, max_size=8), st.data())
def test_a_plan_filled_in_is_the_text_encoded(pieces: list[str], data: st.DataObject) -> None:
    values = data.draw(st.lists(words, min_size=len(pieces), max_size=len(pieces)))
    marked = "".join(f"{piece}{MARK.at(n)}" for n, piece in enumerate(pieces)) + "\nend"
    whole = "".join(map("".join, zip(pieces, values, strict=True))) + "\nend"

    assert Plan(marked, MARK).fill(values) == transfer.encoded(whole)


@pytest.mark.parametrize(
    ("value", "encoding"),
    [("Ada", "7bit"), ("ü" * 9, "quoted-printable"), ("ü" * 99, "base64"), ("\nFrom", "base64")],
)
def test_one_mail_s_words_may_change_how_all_of_it_is_encoded(value: str, encoding: str) -> None:
    same = "A line of every mail.\n" * 5
    plan = Plan(f"{same}Hello {MARK.at(0)} there\nend\n", MARK)

    assert plan.fill([value]).encoding == encoding


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_text_that_ends_in_one_mail_s_words_has_no_plan(end: str) -> None:
    with pytest.raises(ValueError, match="last"):
        Plan(f"Hello {MARK.at(0)}{end}", MARK)


def test_a_place_may_be_filled_twice_and_in_any_order() -> None:
    plan = Plan(f"{MARK.at(1)}{MARK.at(0)}\nsame\n{MARK.at(1)}\nend\n", MARK)

    assert plan.fill(["a", "b"]).wire == b"ba\r\nsame\r\nb\r\nend\r\n"
    assert plan.fill([MARK.at(1), "%s"]).wire == b"%shttps:secretn1x\r\nsame\r\n%s\r\nend\r\n"
