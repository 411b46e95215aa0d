"""Whether what a request said may be somebody else's than the one's who opens its link.

Three mails a week ask one mailbox. A flood that comes first has all three sent, and
whoever then signs up themselves gets none: the links that they hold are those of
others. So a request counts with what it said only to who comes from where it was made,
wherever somebody asked for the same mailbox and got no mail of their own.

All of it is kept as keyed hashes under the weekly keys, among the counts of confirmation
mails: from where a request was made for as long as those, and by nobody without the keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, gates, personal, suppressions
from consent.address import Address
from consent.errors import AddressError, SealError
from consent.gates import Gate
from consent.keys import blind
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.sign_ups import SignUp
from gateway.flows.joining.neighbourhoods import neighbourhood
from storage.errors import StorageAway
from storage.secret import Secret

log = structlog.get_logger()

NOTED_AGAIN = timedelta(days=1)  # so that a flood leaves one row a day
_ORIGIN = "consentgw/origin/v1"
_WITH_MAIL = "consentgw/asked-with-mail/v1"
_WITHOUT_MAIL = "consentgw/asked-without-mail/v1"
_FOR_NOTHING = "consentgw/asked-for-nothing/v1"
_OF_LINK = "consentgw/origin-of-link/v1"
_THE_MAILBOX = "the mailbox itself"  # in the place of an origin, which is hexadecimal


def origins(weekly: Iterable[Secret], email: Address, network: str | None) -> tuple[str, ...]:
    """From where exactly a mailbox is asked for, as the door counts it; none: that is not known.

    Under each key, and with the mailbox: no network is told by it, nor the same one elsewhere.
    """
    if network is None or neighbourhood(network) is None:
        return ()
    pair = f"{address.folded(email)}\0{network}"
    return tuple(key.hex() for key in _keys(weekly, _ORIGIN, pair))


def with_mail(weekly: Sequence[Secret], asked_from: Iterable[str]) -> tuple[bytes, ...]:
    """Under what is kept that a mail of their own waits for who asked from there."""
    return tuple(key for one in asked_from for key in _keys(weekly, _WITH_MAIL, one))


def without_mail(weekly: Iterable[Secret], email: Address) -> tuple[bytes, ...]:
    """Under what is kept that somebody asked for this mailbox and got no mail."""
    return _keys(weekly, _WITHOUT_MAIL, address.folded(email))


def for_nothing(weekly: Iterable[Secret], email: Address) -> tuple[bytes, ...]:
    """As `without_mail`, where none was due: as much is written, and nothing follows from it."""
    return _keys(weekly, _FOR_NOTHING, address.folded(email))


def of_link(weekly: Iterable[Secret], token_hash: bytes, made: str) -> tuple[bytes, ...]:
    """Under what is kept from where the request was made that a link confirms."""
    return _keys(weekly, _OF_LINK, f"{token_hash.hex()}\0{made}")


def made_from(form: SignUp) -> str | None:
    """From where a request was made: by the mailbox itself, wherever it is opened next."""
    return _THE_MAILBOX if form.by_mailbox else next(iter(form.origins), None)


def _keys(weekly: Iterable[Secret], domain: str, value: str) -> tuple[bytes, ...]:
    return tuple(blind.keyed(secret, domain, value) for secret in weekly)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opens a link: from which network, and the keys by which that can be compared.

    Without the keys nothing can: then nobody is taken for the one who asked.
    """

    network: str | None = field(default=None, repr=False)
    weekly: Sequence[Secret] | None = field(default=None, repr=False)

    async def is_contested(
        self,
        connection: AsyncConnection,
        token_hash: bytes,
        gate: Gate | None,
        vault: Vault,
        now: datetime,
    ) -> bool:
        """Whether what the request of this link said may be somebody else's than theirs."""
        email = _mailbox(gate, vault)
        if self.weekly is None or email is None:
            return True
        refused = set(without_mail(self.weekly, email))
        made = [*origins(self.weekly, email, self.network), _THE_MAILBOX]
        theirs = {key for one in made for key in of_link(self.weekly, token_hash, one)}
        there = await suppressions.counted_lately(connection, refused | theirs, now)
        return bool(there & refused) and not there & theirs


def _mailbox(gate: Gate | None, vault: Vault) -> Address | None:
    """Whose link it is; None where a key is missing or the row was altered."""
    if not gates.usable(gate, vault, Compartment.PROFILE):
        return None
    try:
        mailbox = personal.open_mailbox(gate, vault)
        return None if mailbox is None else address.parse(mailbox)
    except (SealError, AddressError):
        log.error("address_not_opened")
        return None


async def visitor(
    keystore: KeyStore, network: str | None, wall: datetime, *, must_compare: bool
) -> Visitor:
    """Who comes from *network*. Makes no key: looking at a link writes nothing.

    Raises `StorageAway` only where somebody *must* be compared with who asked.
    """
    try:
        return Visitor(network, await keystore.standing_limit_keys(wall))
    except StorageAway:
        if must_compare:
            raise
        return Visitor(network)
