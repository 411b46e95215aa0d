"""How often an address may be asked to confirm. Silent: whoever posts the form learns nothing.

Counters and blocks fold plus-tags and dots, so that spellings of one mailbox do
not buy more mails; the identity of a person never does. Spellings with a tag may
not use up all of a week's mails: otherwise whoever makes up three of them keeps
the mailbox itself from being asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, service_mails, suppressions
from consent.address import Address
from consent.keys import blind
from consent.service_mails import Kind, ServiceMail
from consent.suppressions import CONFIRMATIONS_A_WEEK, TAGGED_CONFIRMATIONS_A_WEEK, Stop
from gateway import limits
from gateway.flows.joining import providers
from storage.keysets import KeySet
from storage.secret import Secret

LONGEST_WAIT = timedelta(hours=24)  # of the 72 for which a request can be confirmed
_MAILBOX = "consentgw/confirmations/v1"
_TAGGED = "consentgw/confirmations-tagged/v1"


@dataclass(frozen=True, slots=True)
class AskingKeys:
    """What addresses are counted and blocked under; *limited* counts recipient domains too."""

    suppression: KeySet
    weekly: Sequence[Secret]  # this week's key first: older ones only for looking back
    limited: bool

    def blocks(self, email: Address) -> list[bytes]:
        """By which a block of this mailbox may stand."""
        return suppressions.hashes_of(self.suppression, email)


class AskingLimits:
    """The limits as one transaction sees them; each mail that it allows is counted."""

    def __init__(
        self,
        keys: AskingKeys,
        blocked: dict[bytes, set[Stop]],
        counted: dict[bytes, int],
    ) -> None:
        self._keys = keys
        self._blocked = blocked
        self._counted = counted
        self._fresh: list[bytes] = []

    @classmethod
    async def read(
        cls,
        connection: AsyncConnection,
        keys: AskingKeys,
        addresses: Collection[Address],
        now: datetime,
    ) -> Self:
        hashes = {block for one in addresses for block in keys.blocks(one)}
        counters = [counter for one in addresses for counter in _counters(keys.weekly, one)]
        counted = {key for counter in counters for key in counter.keys}
        return cls(
            keys,
            await suppressions.in_force(connection, hashes, now),
            await suppressions.confirmations_counted(connection, counted, now),
        )

    async def allow(
        self, connection: AsyncConnection, one: Address, now: datetime, *, by_mailbox: bool = False
    ) -> datetime | None:
        """Say from when one more confirmation mail may go to *one*, and count it; None: not.

        A block after "not me" or an objection, three mails a week (two to
        spellings with a tag), and the recipient domain's rate: of a provider of
        mailboxes one that keeps a flood from looking like ours, of any other
        domain a small one, for all its addresses may lead to one mailbox. What is
        over it waits its turn, or whoever fills it would keep everybody there
        from being asked. The block
        keeps strangers away: the mailbox itself may ask all the same.
        """
        counters = _counters(self._keys.weekly, one)
        if not by_mailbox and self.is_blocked(one):
            return None
        if any(counter.is_full(self._counted) for counter in counters):
            return None
        wait = await self._turn(connection, one, now)
        if wait is None:
            return None
        for this_week in (counter.keys[0] for counter in counters):
            self._counted[this_week] = self._counted.get(this_week, 0) + 1
            self._fresh.append(this_week)
        return now + wait

    def is_blocked(self, one: Address) -> bool:
        """Whether nobody but the mailbox itself may have it asked, however it is spelled."""
        return any(self._blocked.get(block) for block in self._keys.blocks(one))

    def stop(self, subject: str, one: Address) -> tuple[str, ServiceMail]:
        """The token by which the mailbox stops such mails, and its row."""
        return service_mails.new(self._keys.suppression, Kind.CONFIRMATION, subject, one)

    async def store(self, connection: AsyncConnection, now: datetime) -> None:
        """Keep the counts of the mails that were allowed."""
        await suppressions.count_mails(connection, self._fresh, now)

    async def _turn(
        self, connection: AsyncConnection, one: Address, now: datetime
    ) -> timedelta | None:
        """How long a mail to the recipient's domain waits; None: too long."""
        if not self._keys.limited:
            return timedelta()
        limit = limits.PROVIDER if one.domain in providers.mailbox_providers() else limits.DOMAIN
        key = limits.limit_key(self._keys.weekly[0], limit, one.domain)
        return await limits.reserve(connection, key, limit, now, LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class _Counter:
    """One count over seven days: kept under the first of its keys, this week's; read under each."""

    keys: tuple[bytes, ...]
    at_most: int

    def is_full(self, counted: Mapping[bytes, int]) -> bool:
        return sum(counted.get(key, 0) for key in self.keys) >= self.at_most


def _counters(weekly: Sequence[Secret], one: Address) -> list[_Counter]:
    """What a mail to *one* counts against: its mailbox, and the mailbox's tags where it has one."""
    bounds = {_MAILBOX: CONFIRMATIONS_A_WEEK}
    if address.is_tagged(one):
        bounds[_TAGGED] = TAGGED_CONFIRMATIONS_A_WEEK
    folded = address.folded(one)
    return [
        _Counter(tuple(blind.keyed(secret, domain, folded) for secret in weekly), at_most)
        for domain, at_most in bounds.items()
    ]
