"""Reading an email address: what was typed, where to send, and how to recognise it again."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from email_validator import EmailNotValidError, validate_email

from consent.errors import AddressError, AddressProblem
from storage import domains
from storage.domains import DomainError
from storage.invisible import is_invisible, trimmed

__all__ = [
    "Address",
    "AddressError",
    "AddressProblem",
    "folded",
    "is_tagged",
    "parse",
    "recognised",
]

_WITHOUT_MAIL = {"arpa", "local", "localhost", "onion"}  # RFC 6761: names of another kind
LONGEST = 254  # RFC 5321 4.5.3.1.3, without the angle brackets
# What nearly every local part is made of: the library takes it as it is, and longer than all else
# that is done with an address.
_PLAIN = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*", re.ASCII)
_LONGEST_LOCAL = 64  # RFC 5321 4.5.3.1.1


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox; its repr never shows it."""

    typed: str = field(repr=False)  # as given but for its edges, for the proof of what was given
    mailbox: str = field(repr=False)  # where to send: local part as given, domain in ASCII
    canonical: str = field(repr=False)  # for recognising it again: lower case whole
    domain: str = field(repr=False)  # in ASCII


def parse(raw: str) -> Address:
    """Read what somebody typed. Raises `AddressError`, which never quotes it.

    Only the form is checked: no DNS is asked, and reserved domains pass. What
    nobody sees is cut off at the edges, and refused inside. A local part
    outside ASCII is refused, since not every server on the way would take it
    (RFC 6531). Plus tags and dots make different mailboxes.
    """
    typed = trimmed(raw)
    problem = _problem(typed)
    if problem is not None:
        raise AddressError(problem)
    parts = _validated(typed)
    if parts is None:
        raise AddressError(AddressProblem.MALFORMED)
    local, domain = parts
    mailbox = f"{local}@{domain}"
    # Once more: in ASCII a domain is longer than it was typed.
    if len(mailbox) > LONGEST:
        raise AddressError(AddressProblem.TOO_LONG)
    # A local part may tell cases apart (RFC 5321, section 2.4). If we did, one person who types
    # their address in two ways would be two, and the one who withdrew goes on being mailed.
    return Address(typed, mailbox, recognised(mailbox), domain)


def recognised(mailbox: str) -> str:
    """The canonical address of a mailbox that was read before."""
    return mailbox.lower()


def folded(address: Address) -> str:
    """The address without plus tag and dots, for abuse counters only.

    Never an identity: at most servers these are different people's mailboxes.
    """
    local, _, domain = address.canonical.rpartition("@")
    plain = local.partition("+")[0].replace(".", "")
    # Of `+a@` and `...@` nothing is left: all of a domain would share one counter.
    return f"{plain or local}@{domain}"


def is_tagged(address: Address) -> bool:
    """Whether *address* may be another spelling of the mailbox that stands before its plus."""
    before, plus, _ = address.canonical.rpartition("@")[0].partition("+")
    return bool(plus) and bool(before)


def _problem(typed: str) -> AddressProblem | None:
    if not typed:
        return AddressProblem.EMPTY
    if len(typed) > LONGEST:
        return AddressProblem.TOO_LONG
    # A line break would end a header or an SMTP command, and what follows be the attacker's own;
    # characters that nobody sees would make two addresses look alike.
    if not _is_plainly_seen(typed) and any(map(_is_hidden, typed)):
        return AddressProblem.CONTROL_CHARACTER
    local, _, domain = typed.rpartition("@")
    if domain and not local.isascii():
        return AddressProblem.NON_ASCII_LOCAL_PART
    return None


def _is_plainly_seen(typed: str) -> bool:
    """Whether nothing in it is hidden, as can be said at once."""
    return typed.isascii() and typed.isprintable()


def _is_hidden(character: str) -> bool:
    """Spaces are seen by where they are; they are no part of an address either."""
    hidden = is_invisible(character) or unicodedata.category(character).startswith("C")
    return hidden and character != " "


def _validated(typed: str) -> tuple[str, str] | None:
    """The local part as typed and the domain in ASCII and lower case."""
    local, _, domain = typed.rpartition("@")
    try:
        domain = domains.to_ascii(domain)
    except DomainError:
        return None
    # One label names a machine of a local network; a last one that ends in a digit, an IP address.
    top = domain.rpartition(".")[2]
    if top == domain or top in _WITHOUT_MAIL or not top[-1].isalpha():
        return None
    read = local if _is_plain(local) else _read_local(local)
    return None if read is None else (read, domain)


def _is_plain(local: str) -> bool:
    return len(local) <= _LONGEST_LOCAL and _PLAIN.fullmatch(local) is not None


def _read_local(local: str) -> str | None:
    # Errors of the library quote the address: none may become our error's context.
    try:
        # The domain is ours to read: the library refuses `.invalid`, and has no setting for it.
        parsed = validate_email(
            f"{local}@example.org",
            check_deliverability=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            allow_empty_local=False,
            strict=True,
        )
    except EmailNotValidError:
        return None
    return parsed.local_part
