"""What a form was told, as the mailbox sees it before it becomes the person's.

Whoever signs a person up chooses these words. The person finds them as values
to correct; what could lead somewhere, or pass for ours, is not shown at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from storage.invisible import is_invisible
from storage.words import is_blank

# A scheme, a mailbox, a host, a bare domain (which many programs make a link of, also of one that
# is a picture), or four numbers.
_ADDRESS = re.compile(
    r"[/\\]{2}|@|\bwww\.|[^\s.]\.[^\W\d_]{2,}|(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)"
)
_DOTS = str.maketrans({"\u3002": ".", "\u2024": ".", "\u2044": "/", "\u2215": "/"})


def looks_like_an_address(value: str) -> bool:
    """Whether *value* may be read as one of any kind, however it is spelled."""
    seen = unicodedata.normalize("NFKC", value).translate(_DOTS).casefold()
    return _ADDRESS.search("".join(filter(_counts, seen))) is not None


def _counts(character: str) -> bool:
    """Not what nobody sees, nor what stands on a letter: both can part a domain unseen."""
    if character.isspace():
        return True
    return unicodedata.category(character)[0] not in "CM" and not is_invisible(character)


def joined(chosen: Iterable[str]) -> str:
    """Several choices as one answer: a line each, for no other answer holds a line end."""
    return "\n".join(chosen)


def several(answer: str) -> list[str]:
    """What was chosen; an answer of one line is itself."""
    return answer.split("\n") if answer else []


def in_a_line(answers: Mapping[str, str]) -> dict[str, str]:
    """The answers as a sentence can hold them."""
    return {name: ", ".join(several(answer)) for name, answer in answers.items()}


def entered(answers: Mapping[str, str]) -> dict[str, str]:
    """The answers as the page shows them: what looks like an address is empty."""
    return {name: "" if looks_like_an_address(value) else value for name, value in answers.items()}


def unsaid(answers: Mapping[str, str]) -> dict[str, str]:
    """The answers of a request that may be somebody else's: what was asked for, and no word."""
    return dict.fromkeys(answers, "")


def settled(answers: Mapping[str, str], corrected: Mapping[str, str]) -> dict[str, str]:
    """What stands of *answers* once the person *corrected* some: as shown, or as typed anew.

    An empty correction removes the answer. Only what was asked for can be
    corrected: the page shows nothing else.
    """
    said = {name: corrected.get(name, shown) for name, shown in entered(answers).items()}
    return {name: value.strip() for name, value in said.items() if not is_blank(value)}
