"""A preview shows a mail on screens of both kinds, whatever it is looked at on."""

from __future__ import annotations

from delivery.mime import Content
from gateway.look import preview

PAGE = (
    '<html><head><meta name="color-scheme" content="light dark"><style>:root { color-scheme: light'
    " dark; } @media (prefers-color-scheme: dark) { p { color: white } }</style></head>"
    '<body><p title="&quot;">light dark</p></body></html>'
)


def test_each_view_is_of_one_kind() -> None:
    page = preview.render("mail", Content("Subject <b>", "Text & more", PAGE))

    assert page.count("(min-width: 0)") == page.count("(max-width: 0)") == 2
    assert "prefers-color-scheme" not in page
    assert page.count("&lt;p title=&#34;&amp;quot;&#34;&gt;light dark&lt;/p&gt;") == 4
    assert page.count("color-scheme: dark;") == page.count("color-scheme: light;") == 2
    assert "<h1>Subject &lt;b&gt;</h1>" in page
    assert "Text &amp; more</pre>" in page


def test_a_text_mail_has_its_text_alone() -> None:
    page = preview.render("mail", Content("Subject", "Text", None))

    assert "<iframe" not in page
    assert "Text</pre>" in page
