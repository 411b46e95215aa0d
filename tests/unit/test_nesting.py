"""Elements are closed before HTML's own rules would have to move them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from delivery.nesting import DEEPEST, KNOWN, VOID, Nesting

NAMES = st.sampled_from(sorted(KNOWN))


def test_an_element_that_is_not_open_is_not_closed() -> None:
    nesting = Nesting()
    nesting.open("div", "<div>")

    assert nesting.close("p") == nesting.close("nothing") == nesting.close("br") == ""
    assert nesting.close("div") == "</div>"
    assert nesting.close("div") == ""


def test_a_cell_keeps_to_itself() -> None:
    nesting = Nesting()
    for name in ("div", "table", "td", "p"):
        nesting.open(name, f"<{name}>")

    assert nesting.close("div") == ""
    assert nesting.close("table") == "</p></td></tr></table>"


def test_what_is_nested_too_deeply_is_not_opened() -> None:
    nesting = Nesting()

    opened = [nesting.open("div", "<div>") for _ in range(DEEPEST + 1)]

    assert opened[-2:] == ["<div>", ""]
    assert nesting.is_too_deep
    assert nesting.open("br", "<br>") == "<br>"
    assert nesting.close_all().count("</div>") == DEEPEST


@given(st.lists(st.tuples(st.booleans(), NAMES), max_size=60))
def test_whatever_comes_each_element_ends_in_its_turn(asked: list[tuple[bool, str]]) -> None:
    nesting, written = Nesting(), ""
    for opens, name in asked:
        written += nesting.open(name, f"<{name}>") if opens else nesting.close(name)
    written += nesting.close_all()

    stack: list[str] = []
    for tag in written.removesuffix(">").split(">") if written else []:
        if tag.startswith("</"):
            assert stack.pop() == tag[2:]
        elif tag[1:] not in VOID:
            stack.append(tag[1:])
    assert stack == []
