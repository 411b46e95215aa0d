"""Characters that nobody sees: programs leave them at the edges of what people copy.

It stands in storage because addresses, requests and posted forms must agree on them.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_KINDS: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})  # controls, formats, separators
# Letters, marks and symbols that draw nothing all the same (Unicode, Default_Ignorable_Code_Point
# and the blank Braille pattern).
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def is_invisible(character: str) -> bool:
    """Whether nothing is drawn for *character* alone: spaces and line ends too."""
    return (
        unicodedata.category(character) in _KINDS
        or character in _BLANK
        or "\ufe00" <= character <= "\ufe0f"  # variation selectors
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def trimmed(text: str) -> str:
    """*text* without what nobody sees at its edges; what is inside stays."""
    text = text.strip()  # mostly all that there is to do
    begin, end = 0, len(text)
    while begin < end and is_invisible(text[begin]):
        begin += 1
    while begin < end and is_invisible(text[end - 1]):
        end -= 1
    return text[begin:end]
