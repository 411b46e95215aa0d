"""The few marks a privacy notice needs, turned into HTML.

Headings (`#` to `###`), paragraphs, lists (`- `), `**bold**`, and links
(`[text](https://...)`, `<https://...>`). Everything else is plain text, HTML
included: a notice cannot bring markup of its own.
"""

from __future__ import annotations

import html
import re
from itertools import groupby
from typing import Final

from markupsafe import Markup

_HEADING: Final = re.compile(r"(#{1,3}) +(.+)")
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")
_LINK: Final = re.compile(r"\[([^\]\n]+)\]\(((?:https?://|mailto:)[^\s()<>\"]+)\)")
_BARE: Final = re.compile(r"&lt;((?:https?://|mailto:)[^\s<>\"]+?)&gt;")


def to_html(text: str) -> Markup:
    """Render *text*; only links to http, https and mailto become links."""
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
    # Everything was escaped before the first mark was read, so only our own tags are tags.
    return Markup("\n".join(_block(html.escape(block)) for block in blocks if block))  # noqa: S704


def _block(block: str) -> str:
    """A block may mix a heading, text and a list without empty lines between them."""
    parts = []
    for kind, lines in groupby(block.split("\n"), key=_kind):
        parts.append(_part(kind, list(lines)))
    return "\n".join(parts)


def _kind(line: str) -> str:
    if _HEADING.match(line):
        return "heading"
    return "item" if line.startswith(("- ", "  ")) else "text"


def _part(kind: str, lines: list[str]) -> str:
    if kind == "heading":
        return "\n".join(_heading(line) for line in lines)
    if kind == "item":
        return _list(lines)
    return f"<p>{_inline(' '.join(line.strip() for line in lines))}</p>"


def _heading(line: str) -> str:
    found = _HEADING.match(line)
    assert found is not None  # noqa: S101 the caller sorted the lines by this expression
    level = len(found[1])
    return f"<h{level}>{_inline(found[2])}</h{level}>"


def _list(lines: list[str]) -> str:
    """An indented line belongs to the item before it."""
    items = re.split(r"\n- ", "\n".join(lines).removeprefix("- "))
    entries = "".join(f"<li>{_inline(' '.join(item.split()))}</li>" for item in items)
    return f"<ul>{entries}</ul>"


def _inline(text: str) -> str:
    text = _LINK.sub(r'<a href="\2">\1</a>', text)
    text = _BARE.sub(r'<a href="\1">\1</a>', text)
    return _BOLD.sub(r"<strong>\1</strong>", text)
