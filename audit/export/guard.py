"""A cell of CSV that no spreadsheet takes for a formula or a number. Pure.

Quotes alone do not help: spreadsheets take them off first. The rules are those of OWASP ASVS
5.0, V1.2.10, and a few more; what a cell held before, the lines of JSON have.
"""

from __future__ import annotations

import re
from typing import Final

# Some readers cut lines at semicolons or tabs, whatever is quoted, and what stands behind one
# then begins a cell; so it does behind blanks.
_BEGINNING: Final = re.compile(
    r"\A(?=[\t\r\n\0])|(?:\A|[,;\t\r\n])[ \u00a0\u3000\ufeff]*(?=[=+\-@\uff1d\uff0b\uff0d\uff20])"
)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_DIGEST_LENGTH: Final = 64
# What a spreadsheet makes another number of: with an exponent, too long for it, led by noughts.
_NUMBER: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+|[0-9]{12,}|0[0-9]+", re.ASCII)


def guarded(cell: str) -> str:
    """The same to a reader, and inert: an apostrophe before what would begin a formula.

    A digest is named as one, and so is what looks like a number and would not stay as it is.
    """
    if cell[:1].isdigit() or len(cell) == _DIGEST_LENGTH:
        cell = _named(cell)
    return cell if cell.isalnum() else _BEGINNING.sub(r"\g<0>'", cell)


def _named(cell: str) -> str:
    if _DIGEST.fullmatch(cell):
        return f"sha256:{cell}"
    return f"id:{cell}" if _NUMBER.fullmatch(cell) else cell
