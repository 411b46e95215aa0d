"""Whose is a mail that somebody hands in: ours and unaltered, or why not. Pure.

It is judged by our own public keys alone, of then and now: DNS may have forgotten them, and
whoever hands in the mail may say what it holds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final

from delivery import alterations, dkim, handed_in, relaxed, signatures
from delivery.alterations import Altered
from delivery.handed_in import HandedIn
from delivery.signatures import Key, Signature

Keys = Mapping[tuple[str, str], Key]  # by domain and selector

_AT: Final = re.compile(rb"@([A-Za-z0-9.-]{1,253})")
_MOST_OF_FROM: Final = 4096  # bytes; what stands behind is not looked at
_ATTACHED: Final = re.compile(rb"message/rfc822", re.IGNORECASE)


class Why(StrEnum):
    """Why a mail is not ours, or not any more."""

    NOT_A_MAIL = "not_a_mail"
    FOREIGN = "foreign"  # nothing in it names us
    FORWARDED = "forwarded"  # it is somebody else's, and one of ours is attached to it
    FORGED = "forged"  # it says to be ours, and none of our keys made a signature in it
    UNKNOWN_KEY = "unknown_key"  # signed in our name by a key that was never ours
    ALTERED = "altered"  # our key made the signature, and not over this
    # What the signature cannot tell, and the log can:
    NEVER_ACCEPTED = "never_accepted"
    OTHER_CONTENT = "other_content"


@dataclass(frozen=True, slots=True)
class NotOurs:
    """*signed_by*: the domains that signed it, in the order of their signatures."""

    why: Why
    signed_by: tuple[str, ...] = ()
    selector: str | None = None
    altered: Altered | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A mail that a key of ours signed, and that is as it was then."""

    key: Key
    signature: Signature
    signed_by: tuple[str, ...]
    mail: HandedIn = field(repr=False)

    @property
    def name(self) -> str:
        """By its hash, the signature: no two mails have the same."""
        return dkim.named(self.signature.value)

    def said(self, name: bytes) -> str | None:
        """What a field says that the signature covers, where it stands once."""
        values = self.mail.values(name)
        if len(values) != 1 or not self.signature.covers(name):
            return None
        return values[0].decode("ascii", "replace")


def examine(raw: bytes, keys: Keys, domains: Collection[str]) -> Signed | NotOurs:
    """Judge the bytes of a file; *domains* are all that were ever ours."""
    mail = handed_in.read(raw)
    if mail is None:
        return NotOurs(Why.NOT_A_MAIL)
    found = _judged(mail, keys, domains)
    if isinstance(found, Signed) or found.why not in (Why.FOREIGN, Why.FORGED):
        return found
    if any(isinstance(_judged(one, keys, domains), Signed) for one in _attached(mail)):
        return NotOurs(Why.FORWARDED, found.signed_by)
    return found


def _judged(mail: HandedIn, keys: Keys, domains: Collection[str]) -> Signed | NotOurs:
    signed_by = tuple(signatures.named(mail.fields))
    ours = [one for one in signatures.of(mail.fields) if one.domain in domains]
    known = [(one, key) for one in ours if (key := keys.get((one.domain, one.selector)))]
    digest = hashlib.sha256(relaxed.body(mail.body)).digest()
    for one, key in known:
        is_whole = one.body_hash == digest and one.holds(mail.fields, key)
        if is_whole and signatures.by_another_program(mail.fields, mail.body, one, key):
            return Signed(key, one, signed_by, mail)
    for one, key in known:
        if one.holds(mail.fields, key) or key.made(one.value):
            altered = alterations.found_in(mail, one, partial(_holds, one, key))
            return NotOurs(Why.ALTERED, signed_by, one.selector, altered)
    if known:
        return NotOurs(Why.FORGED, signed_by, known[0][0].selector)
    if ours:
        return NotOurs(Why.UNKNOWN_KEY, signed_by, ours[0].selector)
    claims = _says_to_be_of(mail, domains) or any(one in domains for one in signed_by)
    return NotOurs(Why.FORGED if claims else Why.FOREIGN, signed_by)


def _holds(one: Signature, key: Key, fields: Iterable[tuple[bytes, bytes]]) -> bool:
    return one.holds(tuple(fields), key)


def _says_to_be_of(mail: HandedIn, domains: Collection[str]) -> bool:
    """Whether its From or its Message-ID names a domain of ours."""
    said = b" ".join(mail.values(b"from") + mail.values(b"message-id"))[:_MOST_OF_FROM]
    return any(one.decode("ascii").lower() in domains for one in _AT.findall(said))


def _attached(mail: HandedIn) -> list[HandedIn]:
    """The mails that a mail has as attachments of its own."""
    found = []
    for part in handed_in.parts(mail):
        if not any(_ATTACHED.match(one) for one in part.values(b"content-type")):
            continue
        raw = part.body
        if b"base64" in b"".join(part.values(b"content-transfer-encoding")).lower():
            try:
                raw = base64.b64decode(raw)
            except binascii.Error:
                continue
        one = handed_in.read(raw)
        found += [] if one is None else [one]
    return found
