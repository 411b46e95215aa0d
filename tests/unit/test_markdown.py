from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.look.markdown import to_html


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n## Two", "<h1>One</h1>\n<h2>Two</h2>"),
        ("One\ntwo\n\nthree", "<p>One two</p>\n<p>three</p>"),
        ("Head\n- a\n- b\n  c", "<p>Head</p>\n<ul><li>a</li><li>b c</li></ul>"),
        ("**b** & c", "<p><strong>b</strong> &amp; c</p>"),
        (
            "[t](https://a.example/?a=1&b=2)",
            '<p><a href="https://a.example/?a=1&amp;b=2">t</a></p>',
        ),
        ("<https://a.example>", '<p><a href="https://a.example">https://a.example</a></p>'),
        ("[t](javascript:alert(1))", "<p>[t](javascript:alert(1))</p>"),
        ("", ""),
    ],
)
def test_marks_become_html(text: str, expected: str) -> None:
    assert to_html(text) == expected


@given(st.text(alphabet="<>\"'&[]()*#-: \nhttps/j=x", max_size=120))
def test_only_our_own_tags_come_out(text: str) -> None:
    tags = re.findall(r"<[^>]*>", to_html(text))

    allowed = re.compile(r'</?(h[123]|p|ul|li|strong|a)>|<a href="[^"<>]*">')
    assert all(allowed.fullmatch(tag) for tag in tags)
