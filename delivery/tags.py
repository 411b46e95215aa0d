"""The tags of foreign HTML: found as a browser finds them, and written in one form. Pure.

Every alternative of an expression moves on and none is tried twice (possessive): a mail
takes as long as it is. What does not end reaches to the end, as in a browser.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from typing import Final


def names(written: str) -> frozenset[str]:
    return frozenset(written.split())


# Elements whose content is no markup.
_RAW: Final = ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
_ATTRIBUTES: Final = (
    r"""(?:[\s/]*+[^\s/>][^\s/>=]*+"""
    r"""(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+|(?=>))|(?!\s*+=)))*[\s/]*+"""
)
_RAW_ELEMENTS: Final = "|".join(
    rf"<{name}(?=[\s/>]){_ATTRIBUTES}>.*?(?:</{name}(?=[\s/>])[^>]*+>?|\Z)" for name in _RAW
)
TOKENS: Final = re.compile(
    rf"(<!--(?:-?>|.*?(?:--!?>|\Z))|{_RAW_ELEMENTS}|</?[a-z][^\s/>]*+{_ATTRIBUTES}>"
    r"|</?[a-z].*|<[!?/][^>]*+>?)",
    re.DOTALL | re.IGNORECASE | re.ASCII,
)
_TAG: Final = re.compile(
    rf"<(?P<end>/?)(?P<name>[a-z][^\s/>]*+)(?P<attributes>{_ATTRIBUTES})>",
    re.DOTALL | re.IGNORECASE | re.ASCII,
)
_IS_TAG: Final = re.compile(r"</?[a-z]", re.IGNORECASE | re.ASCII)
_ATTRIBUTE: Final = re.compile(
    r"""([^\s/>][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"'][^\s>]*+)))?""", re.ASCII
)
_ALLOWED: Final = names(
    "abbr align alt aria-hidden aria-label aria-labelledby aria-level background bgcolor border"
    " cellpadding cellspacing class color colspan coords dir face headers height hidden href hspace"
    " id lang name nowrap role rowspan rules scope shape size span src start style summary title"
    " type usemap valign value vspace width"
)
_LEADS_TO: Final = {
    "background": re.compile(r"https?:|cid:", re.IGNORECASE),
    "href": re.compile(r"https?:|mailto:|tel:|sms:|cid:|#", re.IGNORECASE),
    "src": re.compile(r"https?:|cid:|data:image/", re.IGNORECASE),
}
_NO_CHARACTER: Final = re.compile(r"&#[0-9]{20,}+;?")  # Python reads no longer numbers
_IGNORED: Final = re.compile(r"[\x00-\x20]+")  # in addresses, by browsers
_KEPT: Final = 1000  # characters
_QUOTED: Final = str.maketrans({'"': "&quot;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag, or an element whose *content* is no markup; *name* in lower case.

    *ends* is False where the text ended before it did.
    """

    name: str
    attributes: str = ""
    is_end: bool = False
    content: str = ""
    ends: bool = True


def parse(token: str) -> Tag | None:
    """What a token of `TOKENS` is; None for comments and the like, which say nothing."""
    if not _IS_TAG.match(token):
        return None
    found = _TAG.match(token)
    if found is None:
        return Tag(re.split(r"[\s/>]", token[1:].lstrip("/"), maxsplit=1)[0].lower(), ends=False)
    name = found["name"].lower()
    if found["end"] or name not in _RAW:
        return Tag(name, found["attributes"], is_end=bool(found["end"]))
    content, mark, end = token[found.end() :].rpartition("</")
    if mark and re.match(rf"{name}[\s/>]", end, re.IGNORECASE | re.ASCII) and end.endswith(">"):
        return Tag(name, found["attributes"], content=content)
    return Tag(name, ends=False)


def is_unended_comment(token: str) -> bool:
    return token.startswith("<!--") and not token.endswith(("-->", "--!>"))


def is_closed(token: str) -> bool:
    """Whether a token of `TOKENS` is the same whatever follows it."""
    if not token.endswith(">") or is_unended_comment(token):
        return False
    tag = parse(token)
    return tag is None or tag.ends


def attributes(written: str, allowed: Container[str] = _ALLOWED) -> dict[str, str]:
    """Those that are allowed, by name in lower case; of one written twice the first counts.

    Entities in values stay what they are; quotes and angle brackets become some.
    """
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(written):
        known = name.lower()
        value = next(filter(None, values), "")
        if known in allowed and known not in found and _is_harmless(known, value):
            found[known] = value.translate(_QUOTED)
    return found


def unescaped(text: str) -> str:
    """The text with its entities read; a number without end is no character."""
    return unescape(_NO_CHARACTER.sub("\ufffd", text)) if "&" in text else text


def write(name: str, given: Mapping[str, str]) -> str:
    """A start tag."""
    said = "".join(f' {key}="{value}"' for key, value in given.items())
    return f"<{name}{said}>"


def rewritten(name: str, written: str) -> str:
    """A start tag with the attributes that a mail may have."""
    # Where it leads may be one person's, and is not kept in memory.
    if "://" in written or len(written) > _KEPT:
        return write(name, attributes(written))
    return _rewritten(name, written)


@lru_cache(maxsize=1024)
def _rewritten(name: str, written: str) -> str:
    return write(name, attributes(written))


def _is_harmless(name: str, value: str) -> bool:
    leads_to = _LEADS_TO.get(name)
    return leads_to is None or bool(leads_to.match(_IGNORED.sub("", unescaped(value))))
