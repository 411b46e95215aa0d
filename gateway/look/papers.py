"""A paper for people: what it says, once, for every form in which it is handed out. Pure.

HTML is `templates/pages/paper.html`, PDF `templates/papers/paper.typ`; both set each
word as text, whatever a stranger typed into it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Final

NO_MEMORY: Final = 3  # how the process that sets one ends where that needs more than it may have
_INSTEAD: Final = "\ufffd"
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?![^-])", re.ASCII | re.IGNORECASE)  # RFC 5646, 2.2.1
_NO_LANGUAGE: Final = "und"
# Joiners and marks of direction belong to words of some scripts; what turns a line around does not.
_SHAPING: Final = frozenset("\u061c\u200c\u200d\u200e\u200f")


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int = 1
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True, slots=True)
class Words:
    text: str = field(repr=False)
    kind: ClassVar[str] = "words"


@dataclass(frozen=True, slots=True)
class Quote:
    """Words in a language of their own."""

    text: str = field(repr=False)
    lang: str
    kind: ClassVar[str] = "quote"


@dataclass(frozen=True, slots=True)
class Listing:
    items: Sequence[str] = field(repr=False)
    kind: ClassVar[str] = "list"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values; both are text."""

    facts: Sequence[tuple[str, str]] = field(repr=False)
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows may be thousands; a cell may be empty."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]] = field(repr=False)
    kind: ClassVar[str] = "table"


Block = Heading | Words | Quote | Listing | Facts | Table


@dataclass(frozen=True, slots=True)
class Paper:
    """What somebody is handed; *foot* stands under each page."""

    title: str
    locale: str
    author: str
    foot: str
    blocks: Sequence[Block]

    def document(self) -> dict[str, Any]:
        """As values for what sets it: nothing in it but text that can be seen."""
        blocks = [{"kind": one.kind, **asdict(one)} for one in self.blocks]
        head = {"title": self.title, "author": self.author, "foot": self.foot}
        found: dict[str, Any] = _visible({**head, "lang": self.locale, "blocks": blocks})
        return found

    def to_json(self) -> bytes:
        """The same for the typesetter, which knows languages, but no tags of more than that."""
        said = self.document()
        for one in (said, *said["blocks"]):
            if "lang" in one:
                one["lang"] = _language(one["lang"])
        return json.dumps(said).encode()


def _language(tag: str) -> str:
    found = _LANGUAGE.match(tag)
    return found[0] if found else _NO_LANGUAGE


def _visible(value: Any) -> Any:
    """The same, every text without what no reader sees, or what turns a line around."""
    if isinstance(value, str):
        return value if value.isascii() and value.isprintable() else _shown(value)
    if isinstance(value, dict):
        return {name: _visible(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_visible(one) for one in value]
    return value


def _shown(text: str) -> str:
    whole = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(one if _is_seen(one) else _INSTEAD for one in whole)


def _is_seen(one: str) -> bool:
    return one == "\n" or one in _SHAPING or not unicodedata.category(one).startswith("C")
