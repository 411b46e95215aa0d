"""A sender's style sheets, so that they reach the sender's part of a mail and nothing else. Pure.

What is written is a subset that every reader of CSS reads alike: no escapes, no nested
rules, brackets and quotes that end. Whatever is outside of it is left out, rule by
rule: to read a sheet a little differently than a browser costs a rule, and never lets
one out of its frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

FRAME: Final = "mail-frame"  # the class of what holds a sender's part
HTML: Final = "mail-html"  # of what stands for the sender's html and body in it
BODY: Final = "mail-body"
_GROUPS: Final = ("@media", "@supports")
_DEEPEST: Final = 8  # groups in groups

# Every alternative moves on, and no two begin alike: a sheet takes as long as it is. Only single
# characters are repeated possessively: Python before 3.11.5 matches groups wrongly so (gh-106052).
_TOKEN: Final = re.compile(
    r"""/\*.*?(?:\*/|\Z)|(?P<mark>[{};])|(?:[^{};"'/]++|"[^"\n]*+"|'[^'\n]*+'|["'/])""", re.DOTALL
)
_STRING: Final = r"""(?:"[^"\\\n\r\f<]*+"|'[^'\\\n\r\f<]*+')"""
_PLAIN: Final = r"""[^"'()\[\]{}\\<@uU\x00]++|[uU](?!rl\()"""
_URL: Final = rf"""(?:url\(\s*+(?:{_STRING}|[^\s"'()\\<]*+)\s*+\))"""


def _nested(depth: int) -> str:
    inner = f"|{_nested(depth - 1)}" if depth else ""
    return rf"\((?:{_URL}|{_STRING}|{_PLAIN}{inner})*\)"


_DECLARATIONS: Final = re.compile(
    rf"(?:{_URL}|{_STRING}|{_PLAIN}|{_nested(3)})*", re.IGNORECASE | re.ASCII
)
_WORDS: Final = r"""[^"'()\[\]{}\\<@;&\x00]"""
_INNER: Final = rf"""\({_WORDS}*+\)"""
_CONDITION: Final = re.compile(rf"(?:{_WORDS}++|\((?:{_WORDS}++|{_INNER})*\))*")
_ATTRIBUTE: Final = rf"\[(?:{_WORDS}++|{_STRING})*\]"
_SELECTOR: Final = re.compile(
    rf"(?:(?![,/]){_WORDS}|{_ATTRIBUTE}|\((?:{_WORDS}++|{_ATTRIBUTE}|{_INNER})*\))+"
)
_COMBINATORS: Final = (">", "+", "~", "|")
_ROOTS: Final = re.compile(r"(?<![\w.#:-])(html|body)(?![\w-])|:root(?![\w-])", re.IGNORECASE)


def scoped(sheet: str) -> str:
    """The rules of *sheet* for what is in the frame, where something stands for html and body.

    Fonts, imports and animations are left out: a font of the sender's could be
    given the name of ours, and have no letters.
    """
    return "".join(_rules(sheet.replace("<!--", " ").replace("-->", " ")))


def _rules(sheet: str) -> Iterator[str]:
    groups = 0
    marks = _marks(sheet)
    for text, mark in marks:
        prelude = _line(text)
        if mark == "}" and groups:
            groups -= 1
            yield "}\n"
        elif mark == "{" and groups < _DEEPEST and _is_group(prelude):
            groups += 1
            yield f"{prelude}{{\n"
        elif mark == "{" and (declarations := _block(marks)):
            yield _rule(prelude, declarations)
    yield "}\n" * groups


def _marks(sheet: str) -> Iterator[tuple[str, str]]:
    """Each brace or semicolon, after the text before it, without its comments."""
    pieces: list[str] = []
    for token in _TOKEN.finditer(sheet):
        if token["mark"]:
            yield "".join(pieces), token["mark"]
            pieces = []
        else:
            pieces.append(" " if token[0].startswith("/*") else token[0])


def _block(marks: Iterator[tuple[str, str]]) -> str | None:
    """The declarations up to the end of a rule; None where there are rules in it, or no end."""
    depth, pieces = 0, []
    for text, mark in marks:
        if mark == "}" and depth == 0:
            pieces.append(text)
            whole = ";".join(filter(None, map(_line, pieces)))
            return whole if _DECLARATIONS.fullmatch(whole) else None
        depth += (mark == "{") - (mark == "}")
        pieces.append(text if mark == ";" else "{")  # no declaration has one
    return None


def _line(text: str) -> str:
    return " ".join(text.splitlines()).strip()


def _is_group(prelude: str) -> bool:
    return prelude.lower().startswith(_GROUPS) and bool(_CONDITION.fullmatch(prelude, 1))


def _rule(prelude: str, declarations: str) -> str:
    selectors = list(map(_in_frame, _selectors(prelude)))
    return f"{', '.join(selectors)}{{{declarations}}}\n" if selectors else ""


def _selectors(prelude: str) -> list[str]:
    """The selectors of a list, or none where one of them is not of the subset.

    By itself one that is empty, or begins with a combinator, means nothing. Behind the
    frame's it would be the frame, or what stands beside that: our footer.
    """
    found, at = [], 0
    while selector := _SELECTOR.match(prelude, at):
        plain = selector[0].strip()
        if not plain or plain.startswith(_COMBINATORS):
            return []
        found.append(plain)
        if selector.end() == len(prelude):
            return found
        if prelude[selector.end()] != ",":
            return []
        at = selector.end() + 1
    return []


def _in_frame(selector: str) -> str:
    """The same for descendants of the frame: with whatever it goes on, it cannot leave."""
    plain = re.match(r"""[^"'(\[]*""", selector)
    end = plain.end() if plain else 0
    return f".{FRAME} {_ROOTS.sub(_stand_in, selector[:end])}{selector[end:]}"


def _stand_in(root: re.Match[str]) -> str:
    return f".{BODY}" if root[0].lower() == "body" else f".{HTML}"
