"""The Markdown of a privacy notice, turned into HTML, or into text without marks.

Everything is CommonMark save what could bring markup of its own, be loaded from
elsewhere, or turn an indented line into a program: HTML, images and code stay text.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from markupsafe import Markup

_NOT_OURS: Final = ["html_block", "html_inline", "image", "code", "fence", "backticks"]
_SAFE_LINK: Final = re.compile(r"https?://|mailto:", re.IGNORECASE)


def to_html(text: str) -> Markup:
    """Render *text*; only links to http, https and mailto become links."""
    # The renderer escapes all that is no mark, and writes no tag but its own.
    return Markup(_renderer().render(text))  # noqa: S704


def to_text(text: str) -> str:
    """The words of *text* as a reader sees them: no marks, a dot before what is an item of a list.

    A link keeps its address behind its words, but where those say it already.
    """
    lines = []
    for node in SyntaxTreeNode(_renderer().parse(text)).walk():
        if node.type == "inline":
            lines.append(f"{_lead(node)}{_words(node)}")
    return "\n".join(lines).strip()


def _lead(node: SyntaxTreeNode) -> str:
    """What stands before a paragraph: an empty line, and in a list its dot, number or indent."""
    own = node.parent
    item = None if own is None else own.parent
    if item is None or item.type != "list_item":
        return "\n"
    if own is not item.children[0]:
        return "  "
    return f"{item.info}{item.markup} " if item.info else "• "


def _words(node: SyntaxTreeNode) -> str:
    if node.type in ("softbreak", "hardbreak"):
        return "\n" if node.type == "hardbreak" else " "
    if not node.children:
        return node.content
    said = "".join(map(_words, node.children))
    if node.type != "link":
        return said
    url = str(node.attrs["href"]).removeprefix("mailto:")
    return said if said == url else f"{said} ({url})"


@cache
def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": False}).disable(_NOT_OURS)
    # Its own rule lets pass what it does not know to be harmful, `tel:` and relative links too.
    renderer.validateLink = lambda url: _SAFE_LINK.match(url) is not None  # type: ignore[method-assign]  # its documented way
    return renderer
