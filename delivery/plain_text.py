"""The text of an HTML mail, for those who read text. Pure."""

from __future__ import annotations

import re
from typing import Final

from delivery import tags
from delivery.nesting import VOID

_SPACED: Final = {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"}
_LINES: Final = {"br", "dd", "div", "dl", "dt", "footer", "header", "hr", "li", "section", "tr"}
_UNSEEN: Final = {"head"}
_HIDDEN: Final = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_MANY_BREAKS: Final = re.compile(r"\n{3,}")


def plain_text(page: str) -> str:
    """A readable text of a page that `markup.read` wrote: every element in it ends.

    Links keep their address, what a reader would not see is left out.
    """
    reader = _Reader()
    pieces = tags.TOKENS.split(page)
    for n, piece in enumerate(pieces):
        if n % 2 == 0:
            reader.read(tags.unescaped(piece))
        elif (tag := tags.parse(piece)) is None:
            continue
        elif tag.is_end:
            reader.end(tag.name)
        elif not tag.content:
            reader.start(tag.name, tags.attributes(tag.attributes))
    lines = [" ".join(line.split()) for line in "".join(reader.pieces).split("\n")]
    return _MANY_BREAKS.sub("\n\n", "\n".join(lines)).strip() + "\n"


class _Reader:
    """Collects the seen text of a page, broken into lines where a browser would."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._unseen = ""  # the element that hides what is in it
        self._depth = 0  # of elements of that name
        self._link: str | None = None
        self._link_starts = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._unseen:
            self._depth += tag == self._unseen
        elif tag in _UNSEEN or _is_hidden(attributes):
            if tag not in VOID:  # nothing is in it, and nothing ends it
                self._unseen, self._depth = tag, 1
        elif tag == "a":
            self._link = tags.unescaped(attributes.get("href", ""))
            self._link_starts = len(self.pieces)
        elif tag == "img":
            self.pieces.append(tags.unescaped(attributes.get("alt", "")))
        else:
            self._break(tag)

    def end(self, tag: str) -> None:
        if self._unseen:
            self._depth -= tag == self._unseen
            if self._depth == 0:
                self._unseen = ""
        elif tag == "a":
            self._end_link()
        elif tag != "li":
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


def _is_hidden(attributes: dict[str, str]) -> bool:
    return "hidden" in attributes or bool(_HIDDEN.search(attributes.get("style", "")))
