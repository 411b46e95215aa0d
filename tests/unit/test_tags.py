"""Tags are found where a browser finds them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import tags
from delivery.tags import Tag


def found(markup: str) -> list[str]:
    return tags.TOKENS.split(markup)[1::2]


@pytest.mark.parametrize(
    ("markup", "tokens"),
    [
        ("a<b>c</b>", ["<b>", "</b>"]),
        ("<a b='>' c=\">\" d=e>f", ["<a b='>' c=\">\" d=e>"]),
        ('<a b\'=">">c', ['<a b\'=">">']),
        ("<a b=c'>d'>", ["<a b=c'>"]),
        ("<a =b/c>d", ["<a =b/c>"]),
        ("<a b = 'c>'>d", ["<a b = 'c>'>"]),
        ("<a b=>c", ["<a b=>"]),
        ("<!-- <p> -- > --!>x-->", ["<!-- <p> -- > --!>"]),
        ("<!-->x<!--->y", ["<!-->", "<!--->"]),
        ("<![CDATA[a>b]]>", ["<![CDATA[a>"]),
        ("<title><p></titles></TITLE x>y", ["<title><p></titles></TITLE x>"]),
        ("<script>a</p></script>", ["<script>a</p></script>"]),
        ("<styles>a</styles>", ["<styles>", "</styles>"]),
        ("</>x</ y>", ["</>", "</ y>"]),
        ("1<2 <é>", []),
        ("a<b c='d", ["<b c='d"]),
    ],
)
def test_tokens(markup: str, tokens: list[str]) -> None:
    assert found(markup) == tokens


@given(st.text(st.sampled_from("<>/=\"'abstyle!-? \n"), max_size=100))
def test_nothing_is_lost_between_tokens(markup: str) -> None:
    assert "".join(tags.TOKENS.split(markup)) == markup


def test_a_tag_is_read() -> None:
    assert tags.parse("<IMG a=b/>") == Tag("img", " a=b/")
    assert tags.parse("</p x>") == Tag("p", " x", is_end=True)
    assert tags.parse("<style a>p{}</style>") == Tag("style", " a", content="p{}")
    assert tags.parse("<style>p{}</stylex>") == Tag("style", ends=False)
    assert tags.parse("<a href='x") == Tag("a", ends=False)
    assert tags.parse("<!-- x -->") is None
    assert tags.parse("</é>") is None


def test_only_known_attributes_are_kept_and_the_first_of_each() -> None:
    read = tags.attributes(' ID=1 id=2 onload="x" style=\'a:"b"\' hidden title="a&amp;b<"')

    assert read == {
        "id": "1",
        "style": "a:&quot;b&quot;",
        "hidden": "",
        "title": "a&amp;b&lt;",
    }
    assert tags.write("p", read) == (
        '<p id="1" style="a:&quot;b&quot;" hidden="" title="a&amp;b&lt;">'
    )


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("href", "https://x.example/", True),
        ("href", "MAILTO:ada@example.org", True),
        ("href", "#top", True),
        ("href", "&#106;avascript:x", False),
        ("href", f"&#{'9' * 5000};https://x.example/", False),
        ("href", "java&#10;script:x", False),
        ("href", "/relative", False),
        ("src", "cid:1", True),
        ("src", "data:image/png;base64,x", True),
        ("src", "data:text/html,x", False),
        ("background", "http://x.example/a.png", True),
    ],
)
def test_links_lead_where_mails_may_lead(name: str, value: str, kept: bool) -> None:
    assert (name in tags.attributes(f'{name}="{value}"')) is kept
