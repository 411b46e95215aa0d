"""Foreign bytes as text, in the character sets that mails are written in."""

from __future__ import annotations

import codecs
import re
from typing import Final

# By the names that Python has for them. Others are no character sets of mails, and some take the
# square of a text's length: 400 kB of "punycode" half a minute.
_KNOWN: Final = re.compile(
    r"ascii|utf-8(?:-sig)?|utf-16(?:-[bl]e)?|iso8859-\d{1,2}|cp\d{3,4}|koi8-[ru]|mac-roman"
    r"|gb\w{1,8}|big5|euc_\w{1,8}|shift_jis|iso2022_\w{1,8}",
    re.ASCII,
)


def decoded(raw: bytes, charset: str, errors: str = "strict") -> str:
    """The text; raises ValueError for what is none in *charset*, or for one that we do not know."""
    try:
        known = codecs.lookup(charset).name
    except LookupError:
        known = ""
    if _KNOWN.fullmatch(known) is None:
        raise ValueError("no character set of a mail")
    return raw.decode(known, errors)
