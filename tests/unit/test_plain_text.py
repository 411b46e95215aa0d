"""The text that is made of an HTML mail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import markup as foreign
from delivery import plain_text as module


def plain_text(markup: str) -> str:
    return module.plain_text(foreign.read(markup).page)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("", "\n"),
        ("<p>One</p><p>Two</p>", "One\n\nTwo\n"),
        ("One<br>two", "One\ntwo\n"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b\n"),
        ("  many \n\n blanks  ", "many blanks\n"),
        ("Fish &amp; chips &#8211; &lt;b&gt;", "Fish & chips – <b>\n"),
        ('<a href="https://x.example/1">Read on</a>.', "Read on (https://x.example/1).\n"),
        ('<a href="https://x.example/1">https://x.example/1</a>', "https://x.example/1\n"),
        ('<a href="https://x.example/1"><img src="x"></a>', "https://x.example/1\n"),
        ('<a href="javascript:x()">Boo</a>', "Boo\n"),
        ('<a href="#top">Up</a>', "Up\n"),
        ("<a>No link</a>", "No link\n"),
        ('<img src="x" alt="A boat">', "A boat\n"),
        ("<head><title>T</title><style>p{}</style></head><body>Seen</body>", "Seen\n"),
        ("<script>alert('</p>')</script>Seen", "Seen\n"),
        ('<div style="DISPLAY"></div><div style="display: none">a<div>b</div>c</div>d', "d\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\n\nc\n"),
    ],
)
def test_it_reads_as_the_mail_looks(markup: str, text: str) -> None:
    assert plain_text(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Hello</p><![ endif]>", "Hello\n"),
        ("<!--[if mso]><p>Outlook</p><![endif]-->Hello", "Hello\n"),
        ("<![if !mso]>Hello<![endif]>", "Hello\n"),
        ("<![foo[bar]]>Hello", "Hello\n"),
        ("<!doctype html><?php x ?>Hello", "Hello\n"),
        ("Hello<!-- never ends <p>", "Hello\n"),
        ("1 < 2 <- 3", "1 < 2 <- 3\n"),
        ('<img alt="a > b">', "a > b\n"),
        ("<IMG ALT=boat><BR>Hello", "boat\nHello\n"),
        ("<style>p { color: red }</STYLE>Hello", "Hello\n"),
        ("<script>if (a<b) '</p>'", "\n"),
        ("Before<img src='https://t.example/o.gif' style='display:none'>after", "Beforeafter\n"),
        ("a<br hidden>b<hr style='display:none'>c<wbr style='display:none'>d", "abcd\n"),
        ("a<input type=hidden><input style='display:none'>b", "ab\n"),
        ("<table><col style='display:none'><tr><td>a</table>b", "a\n\nb\n"),
        ("<ul><li style='display:none'>a<li>b<li>c</ul>d", "- b\n- c\n\nd\n"),
        ("<p hidden>a<p>b<p style='visibility: hidden'>c<div>d", "b\n\nd\n"),
        ("<dl><dt hidden>a<dd>b</dl>c", "b\n\nc\n"),
        ("<table><tr><td hidden>a<td>b<tr hidden><td>c<tr><td>d</table>e", "b\n\nd\n\ne\n"),
        ("<div style='display:none'><p>a</div>b", "b\n"),
        ("<span hidden>a<span>b</span>c</span>d", "d\n"),
        (f"a&#{'1' * 5000};b", "a\ufffdb\n"),
        ("</a>a</a><a href='https://x.example/'>b", "ab (https://x.example/)\n"),
        ("<a href='https://x.example/?a=1&amp;b=2'>a</a>", "a (https://x.example/?a=1&b=2)\n"),
    ],
)
def test_what_mail_programs_write_is_read(markup: str, text: str) -> None:
    assert plain_text(markup) == text


@pytest.mark.parametrize(
    "piece",
    ["<!--", "<a ", "<a href='", "</", "<?", "<![", '<p a="', "<title>", "&#", "<a x='\">", "<"],
)
def test_markup_that_is_meant_to_hold_us_up_does_not(piece: str) -> None:
    assert plain_text(piece * 200_000).endswith("\n")


@given(st.text(st.sampled_from("<>/=\"'abphrefdivli !-&;#x1\n"), max_size=200))
def test_whatever_is_no_html_gives_a_text(markup: str) -> None:
    assert plain_text(markup).endswith("\n")
