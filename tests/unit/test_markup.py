"""Foreign HTML becomes a page with a place below it that nothing in it reaches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery import markup, tags
from delivery.markup import Shapes, read
from tests.support.hostile_markup import CASES, SEEDS, generated

FRAME = re.compile(r'<div class="mail-frame"[^>]*>(<div class="mail-html[^>]*>)(<div [^>]*>)')
FOOTER = "<p>Leave</p>"


def with_footer(page: str) -> str:
    return markup.with_footer(markup.cut(page, "de"), "p{}", FOOTER)


def body(source: str) -> str:
    """What the sender's part became."""
    page = read(source).page
    begins = FRAME.search(page)
    assert begins is not None
    return page[begins.end() :].removesuffix("</div></div></div>\n</body>\n</html>\n")


def head(source: str) -> str:
    return read(source).page.split("</head>")[0]


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("", ""),
        ("<p>One</p>two", "<p>One</p>two"),
        ("<P CLASS=a ID='b'>x</P >", '<p class="a" id="b">x</p>'),
        ("1 < 2 <- 3 > 1", "1 &lt; 2 &lt;- 3 > 1"),
        ("<p>a<p>b<div>c</div>", "<p>a</p><p>b</p><div>c</div>"),
        ("<ul><li>a<li>b</ul>c", "<ul><li>a</li><li>b</li></ul>c"),
        ("<dl><dt>a<dd>b<dt>c</dl>", "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>"),
        ("<table><td>a<td>b<tr><td>c</table>d",
         "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>d"),
        ("<table><b>x</table>", "<table><tr><td><b>x</b></td></tr></table>"),
        ("<table><tr><td></div></p></table></td>x", "<table><tr><td></td></tr></table>x"),
        ("<td>a</td><tr>b", "ab"),
        ("<a href=x><a href='https://x.example/'>b</a></a>",
         '<a></a><a href="https://x.example/">b</a>'),
        ("<div><span></div></span>x", "<div><span></span></div>x"),
        ("<span><div></span>x</div>", "<span><div>x</div></span>"),
        ("<b><p>x</b>y", "<b><p>x</p></b>y"),
        ("<br></br><br/>x</img>", "<br><br><br>x"),
        ("<form><button>Go</button><input></form>", "Go"),
        ("a<script>b</script>c<svg><title>d</title><p>e</svg>f", "acf"),
        ("a<select><option>b<select>c</select></select>d", "ad"),
        ("a<!-- b -->c<!-->d<!doctype x>e<![if !mso]>f</ x>g<?php ?>h", "acdefgh"),
        ("<!--[if mso]><table><![endif]-->x", "x"),
        ("<p a='>' style='b:\"c\"' onclick=x>d", '<p style="b:&quot;c&quot;">d</p>'),
        ('<img src="https://x.example/?a=1&amp;b=2" alt="<b>">',
         '<img src="https://x.example/?a=1&amp;b=2" alt="&lt;b&gt;">'),
        ('<a href=" java\tscript:x()">a</a><img src="javascript:x">', "<a>a</a><img>"),
        ("</p></div></body></html></table>x", "x"),
        ("<html><head><title>T</title></head><body>x</body></html>y", "xy"),
        ("<h1>a<h2>b", "<h1>a</h1><h2>b</h2>"),
        ("<table><colgroup><col><tr><td>x",
         "<table><colgroup><col></colgroup><tr><td>x</td></tr></table>"),
    ],
)  # fmt: skip
def test_it_is_written_anew_so_that_it_has_one_reading(source: str, written: str) -> None:
    assert body(source) == written


def test_what_is_said_of_the_whole_mail_stands_where_it_belongs() -> None:
    source = (
        '<html lang="de" dir="ltr"><head><title>News &amp; <b></title>'
        '<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="0">'
        "<style>body p{color:red}</style><style media=print>p{a:b}</style><base href=x></head>"
        '<body bgcolor="#fff" class="wide" style="margin:0"><p>x'
    )

    page = read(source).page

    assert page.startswith('<!doctype html>\n<html lang="de" dir="ltr">\n<head>\n')
    assert "<title>News &amp; &lt;b&gt;</title>" in page
    assert '<meta name="color-scheme" content="light dark">' in page
    assert ".mail-frame .mail-body p{color:red}" in page
    assert "@media print{\n.mail-frame p{a:b}\n}" in page
    assert "refresh" not in page
    assert "base" not in page
    assert '<div class="mail-html" dir="ltr" lang="de">' in page
    assert '<div class="mail-body wide" style="background-color:#fff;margin:0">' in page
    assert markup.is_dark(page)
    assert not markup.is_dark(read("<body><p>color-scheme</p>").page)


def test_the_footer_is_the_last_of_the_body_and_brings_its_style() -> None:
    page = with_footer(read("</head><body><p>x</body>").page)

    assert page.count("</head>") == page.count("</body>") == 1
    assert page.endswith(f"<p>x</p></div></div></div>\n{FOOTER}</body>\n</html>\n")
    assert page.index("<style>\np{}\n</style>") < page.index("</head>")


@pytest.mark.parametrize(
    ("source", "framed", "dark"),
    [
        ("Hello", True, True),
        ("<p>Hello <b>you</b></p><table><tr><td>x</table>", True, True),
        ('<p style="color:#222">Hello', True, False),
        ('<p><font color="red">Hello', True, False),
        ('<table bgcolor="#fff"><tr><td>Hello', False, False),
        ("<body><p>Hello", False, False),
        ("<style>p{margin:0}</style><p>Hello", False, False),
    ],
)
def test_content_without_a_frame_gets_ours_and_the_language_of_its_recipient(
    source: str, framed: bool, dark: bool
) -> None:
    page = read(source).page

    whole = with_footer(page)

    assert markup.has_our_frame(page) == ('class="mail-card"' in whole) == framed
    assert whole.startswith('<!doctype html>\n<html lang="de">') == framed
    assert markup.is_dark(page) == dark
    assert balanced(whole.split("<body", 1)[1].split(">", 1)[1].removesuffix("</body>\n</html>\n"))
    assert whole.endswith(f"{FOOTER}</body>\n</html>\n")


def test_a_page_that_an_earlier_release_kept_stays_as_it_was() -> None:
    page = read("<p>Hello").page.replace(' class="mail-frameless"', "")

    whole = with_footer(page)

    assert "mail-card" not in whole
    assert "<html>" in whole


@pytest.mark.parametrize(
    ("source", "flaw"),
    [
        ("<p>Hello</p><!-- promo", "a comment"),
        ("<!-- <p>x</p>", "a comment"),
        ("<p>Hello</p><style>p{}", "<style>"),
        ("<title>x</titled>", "<title>"),
        ("<textarea>", "<textarea>"),
        ("x<script>y</p>", "<script>"),
        ('<p>Hello</p><img alt="x', "<img>"),
        ("Hello</p", "<p>"),
        ("<p>Hello</p><template>x", "<template>"),
        ("<svg><svg></svg>", "<svg>"),
        ("<div>" * 201, "nested"),
        ("<" * 600_000, "too long"),
    ],
)  # fmt: skip
def test_what_nobody_would_see_is_told(source: str, flaw: str) -> None:
    said = read(source).flaw

    assert said is not None
    assert flaw in said


@pytest.mark.parametrize(
    "source",
    ["", "<p>x", "a < b", "<!-- x --><!-->", "<style>p{</style >", "<svg/>x", "</title>", "x</"],
)
def test_what_is_seen_has_no_flaw(source: str) -> None:
    assert read(source).flaw is None


def balanced(page: str) -> bool:
    """Whether each element ends in its turn; by another reading than the product's."""
    stack: list[str] = []
    for end, name in re.findall(r"<(/?)([a-z][a-z0-9]*)(?: [a-z-]+=\"[^\"<>]*\")*>", page):
        if end and (not stack or stack.pop() != name):
            return False
        if not end and name not in {"area", "br", "col", "hr", "img", "meta", "wbr"}:
            stack.append(name)
    return not stack


@pytest.mark.parametrize("source", [*CASES.values(), *generated(300)])
def test_whatever_was_written_everything_in_the_page_ends(source: str) -> None:
    page = read(source).page
    written = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    tags = re.findall(r"<[^>]*>", written)

    assert balanced(written.removeprefix("<!doctype html>"))
    assert all(re.fullmatch(r"</?[a-z][a-z0-9]*(?: [a-z-]+=\"[^\"<>]*\")*>", t) for t in tags[1:])
    assert body(body(source)) == body(source)


@settings(deadline=None)
@given(st.lists(st.sampled_from([*SEEDS, "</style>", "</table>", "-->", ">", '"']), max_size=40))
def test_what_was_written_anew_is_written_the_same_again(pieces: list[str]) -> None:
    once = body("".join(pieces))

    assert body(once) == once


def test_a_link_of_one_person_is_not_kept() -> None:
    shapes = Shapes()
    mails = [f'<p>Hi</p><a href="https://x.example/{n}">x</a>' for n in range(3)]

    pages = [read(mail, shapes).page for mail in [*mails, "<p>a</p>", "<p>b</p>", "<p>c</p>"]]

    assert [f"/{n}" in page for n, page in enumerate(pages[:3])] == [True] * 3
    assert [page == read(f"<p>{x}</p>").page for x, page in zip("abc", pages[3:], strict=True)]
    assert shapes._kept.cache_info().currsize == 1  # of the three that are alike


_MOLDS = [
    *SEEDS,
    "<!doctype x>",
    "<style>a{}<b</style>",
    "<title>x</title>",
    "<a <b='<'>",
    "<!-- < -->",
]
_TEXTS = ["", "x", "a > b", "&lt;", "<", "< p", '"', "'", "-->", "<p>", "</style>", "<!--", "\0"]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(_MOLDS), max_size=6),
    st.lists(st.lists(st.sampled_from(_TEXTS), min_size=7, max_size=7), min_size=2, max_size=6),
)
def test_a_mail_whose_tags_are_known_is_read_as_if_they_were_not(
    molds: list[str], said: list[list[str]]
) -> None:
    shapes = Shapes()
    mails = ["".join(map("".join, zip(texts, [*molds, ""], strict=False))) for texts in said]

    for mail in [*[mails[0]] * 3, *mails, mails[0]]:
        assert read(mail, shapes) == read(mail)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<!-- >", "<!-- >b"),
        ("<!x", "<!xy>b"),
        ("<title>>", "<title>>b"),
        ("<title>>", "<title>></title>b"),
        ("<p a='>", "<p a='>'>b"),
        ("<style>a<b</style>", "<style>ab<b</style>"),
    ],
)
def test_a_tag_that_says_something_else_now_is_not_taken_for_the_known_one(
    before: str, after: str
) -> None:
    shapes = Shapes()

    for mail in (before, before, before, after):
        assert read(mail, shapes) == read(mail)


def test_tags_that_are_known_are_not_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = Shapes()
    pages = [read(f"<p title='>'>{name}</p><style>a{{}}<</style>", shapes).page for name in "abc"]
    monkeypatch.setattr(tags, "TOKENS", None)

    page = read("<p title='>'>d</p><style>a{}<</style>", shapes).page

    assert page == pages[0].replace("a</p", "d</p")


def test_tags_of_several_languages_are_known_beside_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a template says has a title in each; read by turns, none pushes the other out."""
    shapes = Shapes()
    mails = [f"<title>{title}</title><p>Ada</p>" for title in ("Hello", "Hallo", "Bonjour")]
    pages = [read(mail, shapes).page for mail in mails * 2]
    monkeypatch.setattr(tags, "TOKENS", None)

    again = [read(mail, shapes).page for mail in mails]

    assert again == pages[:3]


def test_no_more_is_kept_of_mails_that_are_alike_than_of_others() -> None:
    shapes = Shapes()
    for number in range(200):
        mail = f"<title>{number % 100}</title>" + "<br>" * (number % 7)
        assert read(mail, shapes) == read(mail, shapes) == read(mail, shapes) == read(mail)

    kept = [one for alike in shapes._known.values() for one in alike]
    assert 1 < len(kept) <= 64
    assert max(map(len, shapes._known.values())) <= 8
    assert not [one for one in kept if kept.count(one) > 1]
