"""The Markdown of a privacy notice, turned into HTML.

Everything is CommonMark save what could bring markup of its own, be loaded from
elsewhere, or turn an indented line into a program: HTML, images and code stay text.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup

_NOT_OURS: Final = ["html_block", "html_inline", "image", "code", "fence", "backticks"]
_SAFE_LINK: Final = re.compile(r"https?://|mailto:", re.IGNORECASE)


def to_html(text: str) -> Markup:
    """Render *text*; only links to http, https and mailto become links."""
    # The renderer escapes all that is no mark, and writes no tag but its own.
    return Markup(_renderer().render(text))  # noqa: S704


@cache
def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": False}).disable(_NOT_OURS)
    # Its own rule lets pass what it does not know to be harmful, `tel:` and relative links too.
    renderer.validateLink = lambda url: _SAFE_LINK.match(url) is not None  # type: ignore[method-assign]  # its documented way
    return renderer
