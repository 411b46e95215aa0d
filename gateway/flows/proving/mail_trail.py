"""What the log tells of one mail that came back: its permits, and what became of each. Pure.

A mail names its message, where the relay left it its Message-ID; otherwise whose it is must be
known from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from audit.within import ItemFound
from consent import address
from consent.errors import AddressError
from consent.model import GroundKind
from delivery import mime
from delivery.authorship import Signed
from gateway.flows.proving.consent_proof import ConsentEvidence
from gateway.flows.proving.transmissions import Transmission, is_permit

SECOND: Final = timedelta(seconds=1)
_MESSAGE_ID: Final = re.compile(r"<([0-9a-v]{26})@([A-Za-z0-9.-]{1,253})>")


def moments(signed: Signed) -> list[datetime]:
    """The seconds in which a mail says that it was first permitted, where its signature covers it.

    The signature has the second itself; of earlier releases the date of the mail may be another.
    """
    found = [] if signed.signature.signed_at is None else [signed.signature.signed_at]
    said = signed.said(b"date")
    try:
        dated = parsedate_to_datetime(said) if said else None
    except ValueError:
        dated = None
    if dated is not None and dated.tzinfo is not None and dated.year > 1970:
        found.append(dated.astimezone(UTC))
    return list(dict.fromkeys(one.replace(microsecond=0) for one in found))


def message_of(signed: Signed, domains: Collection[str]) -> str | None:
    """Which message a mail says to be; None where its Message-ID is the relay's."""
    found = _MESSAGE_ID.fullmatch(signed.said(b"message-id") or "")
    return f"msg_{found[1]}" if found and found[2].lower() in domains else None


def may_be(signed: Signed, one: ItemFound) -> bool:
    """Whether it permitted such a mail: marketing alone says how to leave, on a consent."""
    if not is_permit(one):
        return False
    is_marketing = signed.signature.counts().get(b"list-unsubscribe", 0) > 0
    return bool(is_marketing == (one.facts["ground"].get("kind") == GroundKind.CONSENT))


def is_other(signed: Signed, sent: Iterable[Transmission]) -> bool | None:
    """Whether the log knows the signatures of this message, and this is none; None: it does not."""
    ends = [one.outcome.facts.get("dkim") for one in sent if one.outcome is not None]
    known = {one for one in ends if one is not None}
    if signed.name in known:
        return False
    return True if known and len(known) == len(list(ends)) == len(list(sent)) else None


def went_to(signed: Signed, consent: ConsentEvidence | None) -> bool | None:
    """Whether a mail went to an address that its consent names; None where nobody knows."""
    said = signed.said(b"to")
    steps = () if consent is None else (*consent.steps, *consent.corrections)
    told = {one.said.facts().get("address") for one in steps} - {None}
    if not told or said is None:
        return None
    try:
        return address.parse(said.strip("<> ")).canonical in told
    except AddressError:
        return False


def same_mailbox(mailbox: str | None, said: str | None) -> bool:
    """Whether a mail's To is this mailbox."""
    try:
        return mailbox is not None and said == mime.ascii_address(mailbox)
    except ValueError:
        return False
