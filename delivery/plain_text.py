"""The text of an HTML mail, for those who read text. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

_SPACED: Final = {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"}
_LINES: Final = {"br", "dd", "div", "dl", "dt", "footer", "header", "hr", "li", "section", "tr"}
_UNSEEN: Final = {"head", "script", "style", "template", "title"}
_HIDDEN: Final = re.compile(r"display\s*:\s*none")
_MANY_BREAKS: Final = re.compile(r"\n{3,}")


def plain_text(markup: str) -> str:
    """A readable text: links keep their address, what a reader would not see is left out."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.pieces).split("\n")]
    return _MANY_BREAKS.sub("\n\n", "\n".join(lines)).strip() + "\n"


class _Reader(HTMLParser):
    """Collects the seen text of a document, broken into lines where a browser would."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = ""  # the element that hides what is in it
        self._depth = 0  # of elements of that name
        self._link: str | None = None
        self._link_starts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if self._unseen:
            self._depth += tag == self._unseen
            return
        if tag in _UNSEEN or _HIDDEN.search(attributes.get("style") or ""):
            self._unseen, self._depth = tag, 1
        elif tag == "a":
            self._link = attributes.get("href")
            self._link_starts = len(self.pieces)
        elif tag == "img":
            self.pieces.append(attributes.get("alt") or "")
        else:
            self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            self._depth -= tag == self._unseen
            if self._depth == 0:
                self._unseen = ""
        elif tag == "a":
            self._end_link()
        elif tag not in ("br", "hr", "li"):
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data.replace("\n", " "))

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
