from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import config as configuration
from gateway.look.markdown import to_html, to_text
from gateway.look.notices import notice
from gateway.look.translations import languages

# What the built-in notice is made of, in each language.
LOOK = {"h1": 1, "h2": 8, "blockquote": 1, "p": 12, "ul": 3, "li": 27, "strong": 19, "a": 6}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n## Two", "<h1>One</h1>\n<h2>Two</h2>\n"),
        ("One\ntwo\n\nthree", "<p>One\ntwo</p>\n<p>three</p>\n"),
        ("One\r\n\r\ntwo", "<p>One</p>\n<p>two</p>\n"),
        ("Head\n- a\n- b\n  c", "<p>Head</p>\n<ul>\n<li>a</li>\n<li>b\nc</li>\n</ul>\n"),
        ("**b** & c", "<p><strong>b</strong> &amp; c</p>\n"),
        (
            "[t](https://a.example/?a=1&b=2)",
            '<p><a href="https://a.example/?a=1&amp;b=2">t</a></p>\n',
        ),
        ("<https://a.example>", '<p><a href="https://a.example">https://a.example</a></p>\n'),
        ("[m](mailto:a@b.example)", '<p><a href="mailto:a@b.example">m</a></p>\n'),
        ("", ""),
    ],
)
def test_marks_become_html(text: str, expected: str) -> None:
    assert to_html(text) == expected


@pytest.mark.parametrize(
    "target",
    ["javascript:alert(1)", "JavaScript:x", "data:text/html,x", "file:///x", "tel:1", "/x", "#x"],
)
def test_what_leads_nowhere_safe_is_no_link(target: str) -> None:
    assert "<a" not in to_html(f"[t]({target}) <{target}>\n\n[r]\n\n[r]: {target}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n", id="HTML"),
        pytest.param("<div>\nx", "<p>&lt;div&gt;\nx</p>\n", id="block of HTML"),
        pytest.param("<!-- x -->", "<p>&lt;!-- x --&gt;</p>\n", id="comment"),
        pytest.param("    indented", "<p>indented</p>\n", id="indented line"),
        pytest.param("`x`", "<p>`x`</p>\n", id="code"),
    ],
)
def test_what_a_notice_may_not_bring_stays_text(text: str, shown: str) -> None:
    assert to_html(text) == shown


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert "<img" not in to_html("![i](https://a.example/x.png)")


@given(st.text(alphabet="<>\"'&[]()*#-_+`!\\1.: \nhttps/j=x", max_size=120))
def test_only_our_own_tags_come_out(text: str) -> None:
    tags = re.findall(r"<[^>]*>", to_html(text))

    allowed = re.compile(
        r"</?(h[1-6]|p|ul|ol|li|strong|em|a|blockquote)>|<(hr|br) />|"
        r'<ol start="\d+">|<a href="(https?://|mailto:)[^"<>]*"( title="[^"<>]*")?>',
        re.IGNORECASE,
    )
    assert all(allowed.fullmatch(tag) for tag in tags), tags


@pytest.mark.parametrize("locale", languages())
def test_the_built_in_notice_has_its_look_and_no_mark_is_left(locale: str, tmp_path: Path) -> None:
    config = configuration.parse(configuration.embedded_default(), base=tmp_path)

    page = to_html(notice(config, locale))

    assert Counter(re.findall(r"<(\w+)", page)) == LOOK
    assert not re.search(r"\*\*|\]\(|^#|^- ", page, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n## Two\nthree\nfour", "One\n\nTwo\n\nthree four"),
        ("a\n\n- b\n\n  c\n- **d** & e", "a\n• b\n  c\n• d & e"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("> *a*  \n> b", "a\nb"),
        ("[t](https://a.example/?a=1)", "t (https://a.example/?a=1)"),
        ("<https://a.example>", "https://a.example"),
        ("[m@b.example](mailto:m@b.example)", "m@b.example"),
        ("[x](javascript:a) <b>!", "[x](javascript:a) <b>!"),
        ("\\* &amp;", "* &"),
        ("", ""),
    ],
)
def test_marks_become_words(text: str, expected: str) -> None:
    assert to_text(text) == expected


@pytest.mark.parametrize("locale", languages())
def test_no_mark_is_left_of_the_built_in_notice_and_every_word_is(
    locale: str, tmp_path: Path
) -> None:
    config = configuration.parse(configuration.embedded_default(), base=tmp_path)
    made = notice(config, locale)
    said = to_text(made)

    assert not re.search(r"\*\*|^#|\]\(|^>", said, re.MULTILINE)
    words = re.findall(r"\w+", re.sub(r"<[^>]*>", " ", to_html(made)))
    assert Counter(words) <= Counter(re.findall(r"\w+", said))
