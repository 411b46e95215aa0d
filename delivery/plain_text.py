"""The text of an HTML mail, for those who read text. Pure, and total: any markup has one.

The standard library's parser is not used: it takes minutes for a hundred kilobytes
of markup that is meant to hold it up, and stops at some that mail programs write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Final

_SPACED: Final = {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"}
_LINES: Final = {"br", "dd", "div", "dl", "dt", "footer", "header", "hr", "li", "section", "tr"}
_UNSEEN: Final = {"head", "script", "style", "template", "title"}
_RAW: Final = {"script", "style", "title"}  # what they hold is no markup
_HIDDEN: Final = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_MANY_BREAKS: Final = re.compile(r"\n{3,}")

# Every alternative moves on and none is tried twice (possessive), so a text takes as long as it
# is. A comment or declaration that does not end reaches to the end, as in a browser.
_TOKEN: Final = re.compile(
    r"""<!--.*?(?:-->|\Z)
    | <[!?][^>]*+>?
    | <(?P<end>/?)(?P<tag>[a-z][^\s/<>]*+)(?P<attributes>(?:[^<>"']|"[^"]*+"|'[^']*+')*+)>
    | (?P<text>[^<]++|<)""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_ATTRIBUTE: Final = re.compile(
    r"""(?P<name>[^\s=/"']++)\s*+(?:=\s*+(?:"(?P<a>[^"]*+)"|'(?P<b>[^']*+)'|(?P<c>[^\s"']++)))?"""
)


def plain_text(markup: str) -> str:
    """A readable text: links keep their address, what a reader would not see is left out."""
    reader = _Reader()
    for token in _tokens(markup):
        if token["text"]:
            reader.read(unescape(token["text"]))
        elif token["tag"] and token["end"]:
            reader.end(token["tag"].lower())
        elif token["tag"]:
            reader.start(token["tag"].lower(), _attributes(token["attributes"]))
    lines = [" ".join(line.split()) for line in "".join(reader.pieces).split("\n")]
    return _MANY_BREAKS.sub("\n\n", "\n".join(lines)).strip() + "\n"


def _tokens(markup: str) -> Iterator[re.Match[str]]:
    at, size = 0, len(markup)
    while at < size and (token := _TOKEN.match(markup, at)):
        at = token.end()
        yield token
        if token["tag"] and not token["end"] and (raw := token["tag"].lower()) in _RAW:
            end = re.compile(f"</{raw}", re.IGNORECASE).search(markup, at)
            at = end.start() if end else size


def _attributes(written: str) -> dict[str, str]:
    """By name in lower case; of one that is written twice the first counts."""
    found: dict[str, str] = {}
    for one in _ATTRIBUTE.finditer(written):
        value = one["a"] or one["b"] or one["c"] or ""
        found.setdefault(one["name"].lower(), unescape(value))
    return found


class _Reader:
    """Collects the seen text of a document, broken into lines where a browser would."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._unseen = ""  # the element that hides what is in it
        self._depth = 0  # of elements of that name
        self._link: str | None = None
        self._link_starts = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._unseen:
            self._depth += tag == self._unseen
            return
        if tag in _UNSEEN or _HIDDEN.search(attributes.get("style", "")):
            self._unseen, self._depth = tag, 1
        elif tag == "a":
            self._link = attributes.get("href")
            self._link_starts = len(self.pieces)
        elif tag == "img":
            self.pieces.append(attributes.get("alt", ""))
        else:
            self._break(tag)

    def end(self, tag: str) -> None:
        if self._unseen:
            self._depth -= tag == self._unseen
            if self._depth == 0:
                self._unseen = ""
        elif tag == "a":
            self._end_link()
        elif tag not in ("br", "hr", "li"):
            self._break(tag)

    def read(self, text: str) -> None:
        if not self._unseen:
            self.pieces.append(text.replace("\n", " "))

    def _break(self, tag: str) -> None:
        if tag in _SPACED:
            self.pieces.append("\n\n")
        elif tag in _LINES:
            self.pieces.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.pieces.append(" ")

    def _end_link(self) -> None:
        label = " ".join("".join(self.pieces[self._link_starts :]).split())
        link, self._link = self._link, None
        if link and link.startswith(("https://", "http://", "mailto:")) and link != label:
            self.pieces.append(f" ({link})" if label else link)
