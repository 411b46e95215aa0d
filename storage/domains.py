"""One grammar for domain names, wherever they come from: configuration, forms, addresses, mail.

Read as browsers and mail servers read them: UTS 46 without its transitional mapping, then IDNA
2008 (RFC 5891), so that `straße` is not `strasse`. Python's own codec knows IDNA 2003 only.
It stands in storage because consent, delivery and configuration must all agree on it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import idna

LONGEST: Final = 253  # RFC 1035, section 2.3.4, without the root's empty label
# RFC 1123, section 2.1, in lower case; hyphens in third and fourth place are IDNA's (RFC 5890).
LABEL: Final = r"(?!..--)(?!-)[a-z0-9-]{1,63}(?<!-)"
_PLAIN: Final = re.compile(rf"{LABEL}(?:\.{LABEL})*")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a host that ends in one is IPv4 to a browser


class DomainError(ValueError):
    """Not a domain name; never says which, for it may be somebody's."""


def to_ascii(raw: str, *, rooted: bool = False) -> str:
    """The one spelling of a domain name: A-labels in lower case. Raises `DomainError`.

    One label is enough. A trailing dot, which says that no search list applies,
    is kept with *rooted* and refused else. Underscores are not of host names.
    """
    name, dot = (raw[:-1], ".") if rooted and raw.endswith(".") else (raw, "")
    # Longer ones never get shorter, and take time that is quadratic in their length.
    domain = "" if len(name) > LONGEST else _encoded(name)
    if not domain or len(domain) > LONGEST or _NUMBER.fullmatch(domain.rpartition(".")[2]):
        raise DomainError("not a domain name")
    return domain + dot


def _encoded(name: str) -> str:
    """The A-labels of *name*, or nothing where it has none."""
    if name.isascii() and _PLAIN.fullmatch(lower := name.lower()):
        return lower
    try:
        domain = idna.encode(name, uts46=True).decode()
        _check_direction(idna.decode(domain))
    except (idna.IDNAError, UnicodeError):
        return ""
    return "" if domain.endswith(".") else domain


def _check_direction(name: str) -> None:
    """Where one label runs from right to left, every label must keep to the Bidi Rule.

    Else `1.אב.example` is shown like another domain (RFC 5893, section 2).
    """
    if any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in name):
        for label in name.split("."):
            idna.check_bidi(label, check_ltr=True)
