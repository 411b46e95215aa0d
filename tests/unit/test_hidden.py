"""Images that tell a sender that a mail was opened, and that nobody sees, do not go out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import markup
from delivery.hidden import says_hidden

PIXEL = "https://count.example/open/ada"
SRC = f'src="{PIXEL}"'
SIZE = 'width="300" height="200"'

HIDDEN = {
    "one by one": f'<img {SRC} width="1" height="1">',
    "no size at all": f"<img {SRC} width=0 height=0>",
    "in pixels": f'<img {SRC} width="1px" height="1px">',
    "one side": f'<img {SRC} width="600" height="1">',
    "in its style": f'<img {SRC} style="width:1px;height:1px">',
    "most of it": f'<img {SRC} style="max-height:1px">',
    "half a pixel": f'<img {SRC} style="height:.5px">',
    "style before attribute": f'<img {SRC} {SIZE} style="width:1px !important">',
    "not displayed": f'<img {SRC} {SIZE} style="display:none">',
    "in capitals": f'<IMG {SRC} STYLE="DISPLAY : NONE !important">',
    "with a comment": f'<img {SRC} style="display:/*x*/none">',
    "escaped": f'<img {SRC} style="d\\69splay:n\\6fne">',
    "with entities": f'<img {SRC} style="display&#58;none">',
    "not visible": f'<img {SRC} style="visibility:hidden">',
    "without colour": f'<img {SRC} style="opacity:0.0">',
    "nearly without": f'<img {SRC} style="opacity:.01">',
    "hidden": f"<img {SRC} hidden>",
    "beside the page": f'<img {SRC} style="position:absolute;left:-9999px">',
    "shrunk": f'<img {SRC} style="transform:scale(0)">',
    "cut away": f'<img {SRC} style="position:absolute;clip:rect(0,0,0,0)">',
    "in what is hidden": f'<div style="display:none">Preheader <b><img {SRC} {SIZE}></b></div>',
    "in a hidden cell": f'<table><tr><td style="display:none"><img {SRC}></td></tr></table>',
    "in no height": f'<div style="max-height:0;overflow:hidden"><p><img {SRC}></p></div>',
    "behind what is hidden": f'<div style="display:none;background:url({PIXEL})">x</div>',
    "behind a hidden cell": f'<table><tr><td hidden background="{PIXEL}">x</td></tr></table>',
    "in what is behind": f"<div hidden><p style=\"background:image-set('{PIXEL}' 1x)\">x</p></div>",
    "its bracket escaped": f'<div hidden style="background:url\\28 {PIXEL})">x</div>',
    "its bracket an entity": f'<div hidden style="background:url&#40;{PIXEL})">x</div>',
}
SHOWN = {
    "a picture": f"<img {SRC} {SIZE}>",
    "without a size": f"<img {SRC}>",
    "as wide as there is": f'<img {SRC} width="100%" style="height:auto;max-width:600px">',
    "fluid": f'<img {SRC} style="width:1px;min-width:100%">',
    "a thin cell": f'<table><tr><td height="1"><img {SRC} {SIZE}></td></tr></table>',
    "after what was hidden": f'<div style="display:none">Preheader</div><img {SRC} {SIZE}>',
    "after a hidden paragraph": f'<p style="display:none">x<p>y<img {SRC} {SIZE}>',
    "after nested": f"<div hidden><div hidden>x</div>y</div><img {SRC} {SIZE}>",
    "a background": f'<table><tr><td background="{PIXEL}">x</td></tr></table>',
    "half transparent": f'<img {SRC} style="opacity:0.5">',
    "a word in its text": f'<img {SRC} alt="display:none; width 1">',
}


@pytest.mark.parametrize("html", HIDDEN.values(), ids=HIDDEN.keys())
def test_an_image_that_nobody_sees_is_taken_out(html: str) -> None:
    page = markup.read(f"<p>Hello</p>{html}<p>More</p>").page

    assert "count.example" not in page
    assert "Hello" in page
    assert "More" in page


@pytest.mark.parametrize("html", SHOWN.values(), ids=SHOWN.keys())
def test_one_that_is_shown_stays(html: str) -> None:
    assert PIXEL in markup.read(f"<p>Hello</p>{html}").page


def test_what_is_hidden_keeps_its_words_and_looks() -> None:
    page = markup.read('<div style="display:none;max-height:0;color:red">Preheader</div>').page

    assert '<div style="display:none;max-height:0;color:red">Preheader</div>' in page


def test_an_image_that_comes_with_the_mail_tells_nobody() -> None:
    spacer = '<img src="cid:spacer" width="1" height="1">'

    assert spacer in markup.read(spacer).page


def test_it_goes_too_where_the_tags_came_before() -> None:
    shapes = markup.Shapes()
    pages = [markup.read(HIDDEN["in its style"], shapes).page for _ in range(3)]

    assert "count.example" not in "".join(pages)


@given(st.text(alphabet=" :;/*\\\"'()<>&#1px-.%dhisplaynoe", max_size=60))
def test_any_style_is_read(style: str) -> None:
    assert says_hidden("img", f"style={style}") in (True, False)
    assert isinstance(markup.read(f"<div hidden style='{style}'>x</div>").page, str)
