from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.look.colours import accent, contrast, parse

colour = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(colour, st.sampled_from(["#ffffff", "#f4f6f4", "#101513", "#1d2a25"]))
def test_any_brand_is_readable_on_any_ground(wanted: str, ground: str) -> None:
    made = accent(wanted, ground)

    assert contrast(parse(made.colour), parse(ground)) >= 4.5
    assert contrast(parse(made.on_colour), parse(made.colour)) >= 4.5


def test_a_readable_brand_keeps_its_exact_colour() -> None:
    assert accent("#0d5c4b", "#ffffff").colour == "#0d5c4b"


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast(parse("#000000"), parse("#ffffff")) == pytest.approx(21)
    assert contrast(parse("#777777"), parse("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("text", ["", "red", "#fff", "#12345g", "#123456\n", "#1234567"])
def test_only_six_hex_digits_are_a_colour(text: str) -> None:
    with pytest.raises(ValueError, match="#rrggbb"):
        parse(text)
