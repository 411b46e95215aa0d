"""What a confirmation mail must not carry: nothing in it may advertise. Pure.

Courts take a mail that asks to confirm for advertising as soon as a word of it is;
the titles of purposes and the names of who mails are the operator's words in it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from storage.invisible import is_invisible

_LINK: Final = re.compile(
    r"://|\bwww\.|\w\.(?:at|biz|ch|com|de|eu|example|info|io|net|org|shop)\b", re.IGNORECASE
)
_SHARE: Final = re.compile(r"[%٪‰]|\d\s*(?:percent|per cent|prozent)\b", re.IGNORECASE)
_PRICE: Final = re.compile(
    r"\d\s*(?:chf|eur|euro|euros|gbp|usd|cents?)\b|\b(?:chf|eur|gbp|usd)\s*\d", re.IGNORECASE
)
_CALL: Final = re.compile(r"[!¡]")
_NAME_LINK: Final = re.compile(r"://|\bwww\.", re.IGNORECASE)


def of_title(text: str) -> str | None:
    """What makes the title of a purpose an advertisement; None: nothing does."""
    seen = _seen(text)
    if _LINK.search(seen):
        return "has a link"
    if _CALL.search(seen):
        return "has an exclamation mark"
    return _offer(seen)


def of_name(text: str) -> str | None:
    """The same of a name or a postal address: some brands are a domain, or end in a mark."""
    seen = _seen(text)
    return "has a link" if _NAME_LINK.search(seen) else _offer(seen)


def of_wording(text: str) -> str | None:
    """The same of what people agree to: a list of partners may be behind a link, no offer."""
    return _offer(_seen(text))


def _offer(seen: str) -> str | None:
    if _SHARE.search(seen):
        return "has a percent sign"
    if _PRICE.search(seen) or any(unicodedata.category(one) == "Sc" for one in seen):
        return "has a price"
    return None


def _seen(text: str) -> str:
    """As people read it: wide forms are the usual ones, and what nobody sees parts nothing."""
    wide = unicodedata.normalize("NFKC", text)
    spaced = "".join(" " if one.isspace() else one for one in wide)
    return "".join(one for one in spaced if one == " " or not is_invisible(one))
