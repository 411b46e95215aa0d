"""How often an address may be asked to confirm. Silent: whoever posts the form learns nothing.

Counters and blocks fold plus-tags and dots, so that spellings of one mailbox do
not buy more mails; the identity of a person never does. Neither spellings with a
tag nor whoever asked before may use up all of a week's mails: otherwise a
stranger keeps the mailbox itself from being asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, link_meter, service_mails, suppressions
from consent.address import Address
from consent.keys import blind
from consent.service_mails import Kind, ServiceMail
from consent.sign_ups import CONFIRM_WITHIN, SignUp
from consent.suppressions import (
    CONFIRMATIONS_A_WEEK,
    KEPT_CONFIRMATIONS,
    TAGGED_CONFIRMATIONS_A_WEEK,
    Count,
    Stop,
)
from gateway import limits
from gateway.flows.joining import contested, providers
from storage.keysets import KeySet
from storage.secret import Secret

LONGEST_WAIT = timedelta(hours=24)  # of the 72 for which a request can be confirmed
# As many mails as one place can have sent: each is counted before it is known whether it goes.
_TURNS_OF_A_PLACE = CONFIRMATIONS_A_WEEK - KEPT_CONFIRMATIONS
_MAILBOX = "consentgw/confirmations/v1"
_TAGGED = "consentgw/confirmations-tagged/v1"
_ASKED_FROM = "consentgw/asked-from/v1"
_TURNS = "consentgw/turns-of-a-domain/v1"
_NEVER = Count()


@dataclass(frozen=True, slots=True)
class Asking:
    """Who would be asked, and who wants it: from which neighbourhood, or the mailbox itself."""

    email: Address
    network: str | None = field(default=None, repr=False)
    by_mailbox: bool = False
    origins: Sequence[str] = field(default=(), repr=False)  # from where exactly
    by_link: bool = False  # out of a mail, which may have been forwarded

    @classmethod
    def by(cls, form: SignUp) -> Self:
        return cls(form.email, form.network, form.by_mailbox, form.origins, form.by_link)


@dataclass(frozen=True, slots=True)
class AskingKeys:
    """What addresses are counted and blocked under; *limited* counts recipient domains too."""

    suppression: KeySet
    weekly: Sequence[Secret]  # this week's key first: older ones only for looking back
    limited: bool

    def blocks(self, email: Address) -> list[bytes]:
        """By which a block of this mailbox may stand."""
        return suppressions.hashes_of(self.suppression, email)

    def boxes(self, email: Address) -> list[bytes]:
        """By which mails that went to this mailbox are found."""
        return service_mails.mailbox_hashes(self.suppression, email)


class AskingLimits:
    """The limits as one transaction sees them.

    Each mail that it allows is counted, and from where each mailbox was asked
    for, mailed or not: that is all that is left of a request without a mail.
    It is asked about every sign-up, wanted or not.
    """

    def __init__(
        self,
        keys: AskingKeys,
        blocked: dict[bytes, set[Stop]],
        counted: dict[bytes, Count],
        again: dict[bytes, list[datetime]],
    ) -> None:
        self._keys = keys
        self._blocked = blocked
        self._counted = counted
        self._again = again
        self._fresh: list[bytes] = []

    @classmethod
    async def read(
        cls,
        connection: AsyncConnection,
        keys: AskingKeys,
        askings: Collection[Asking],
        now: datetime,
    ) -> Self:
        hashes = {block for one in askings for block in keys.blocks(one.email)}
        counted = {key for one in askings for key in _keys(keys.weekly, one)}
        boxes = {box for one in askings if one.by_link for box in keys.boxes(one.email)}
        return cls(
            keys,
            await suppressions.in_force(connection, hashes, now),
            await suppressions.confirmations_counted(connection, counted, now),
            await service_mails.sent(connection, Kind.ASKED_AGAIN, boxes, now) if boxes else {},
        )

    async def allow(
        self, connection: AsyncConnection, one: Asking, now: datetime, *, wanted: bool
    ) -> datetime | None:
        """Say from when one more confirmation mail may go out, and count it; None: not.

        A block after "not me" or an objection, three mails a week (two to
        spellings with a tag, and one kept for who has not asked yet), and the
        recipient domain's rate: of a provider of mailboxes one that keeps a flood
        from looking like ours, of any other domain a small one, for all its addresses
        may lead to one mailbox. What is over it waits its turn, or whoever fills it
        would keep everybody there from being asked. The block keeps strangers away:
        the mailbox itself may ask all the same.

        The domain's turn is taken whether or not a mail is *wanted* and may go, twice for
        each place that asks: whoever has mailboxes there sees how many turns are left.
        """
        due_at = await self._due(connection, one, now, wanted=wanted)
        if due_at is not None and one.by_link:
            # At once: the next one for this mailbox may be in the same batch.
            self._again.setdefault(self._keys.boxes(one.email)[0], []).append(now)
        if due_at is not None:
            self._count_all(contested.with_mail(self._keys.weekly[:1], one.origins[:1]), now)
        else:
            self._note_without_mail(one, now, wanted=wanted)
        return due_at

    async def _due(
        self, connection: AsyncConnection, one: Asking, now: datetime, *, wanted: bool
    ) -> datetime | None:
        counters = self._counters(one, now)
        goes = wanted and self._may_go(one, counters)
        turns = _of_place(self._keys.weekly, _TURNS, one, _TURNS_OF_A_PLACE)
        if not goes and turns.is_full(self._counted):
            return None
        wait = await self._turn(connection, one.email, now)
        if wait is None:
            return None
        self._count_all([one.keys[0] for one in (turns, *(counters if goes else ()))], now)
        return now + wait if goes else None

    def _note_without_mail(self, one: Asking, now: datetime, *, wanted: bool) -> None:
        """Keep, once a day, that this mailbox was asked for from where no mail of theirs waits.

        Whoever has one, and asks again, keeps nobody's own request from counting. Where there
        was nothing to ask, as much is written.
        """
        weekly, since = self._keys.weekly, now - CONFIRM_WITHIN
        theirs = contested.with_mail(weekly, one.origins)
        lacks = wanted and not any(self._of(key).since(since) for key in theirs)
        keys = (contested.without_mail if lacks else contested.for_nothing)(weekly, one.email)
        if not any(self._of(key).since(now - contested.NOTED_AGAIN) for key in keys):
            self._count_all(keys[:1], now)

    def note_link(self, token_hash: bytes, made_from: str | None, now: datetime) -> None:
        """Keep from where the request was made that a link confirms, as far as that is known."""
        if made_from is not None:
            weekly = self._keys.weekly[:1]
            self._count_all(contested.of_link(weekly, token_hash, made_from), now)

    def allow_anew(self, one: Asking, now: datetime) -> bool:
        """Whether the operator may have this mailbox asked anew; if so, the mail is counted.

        By the week's count and the blocks like any other, one mail being kept for whoever asks by
        a form. Of the recipient's domain no turn is taken: those keep strangers from filling it,
        and whoever signs up there would wait behind all who are asked anew.
        """
        counters = _counters(self._keys.weekly, one, is_new=False)
        if not self._may_go(one, counters):
            return False
        self._count_all([counter.keys[0] for counter in counters], now)
        return True

    async def allow_address(
        self, connection: AsyncConnection, one: Asking, now: datetime
    ) -> datetime | None:
        """From when this mailbox may be asked whether it is somebody's from now on; None: not.

        As a sign-up's mail, and counted with those; the domain's turn is taken in any case.
        """
        counters = self._counters(one, now)
        wait = await self._turn(connection, one.email, now)
        if wait is None or not self._may_go(one, counters):
            return None
        self._count_all([counter.keys[0] for counter in counters], now)
        return now + wait

    def _counters(self, one: Asking, now: datetime) -> list[_Counter]:
        """What the mail counts against, as it stood before; notes from where it was asked for."""
        place = _of_place(self._keys.weekly, _ASKED_FROM, one, 1)
        before = place.is_full(self._counted)
        if not before:
            self._count_all(place.keys[:1], now)
        return _counters(self._keys.weekly, one, is_new=one.by_mailbox or not before)

    def _may_go(self, one: Asking, counters: Sequence[_Counter]) -> bool:
        """Whether neither a block nor what went to the mailbox keeps a mail back."""
        if not one.by_mailbox and self.is_blocked(one.email):
            return False
        return not any(counter.is_full(self._counted) for counter in counters)

    def may_again(self, one: Asking, confirmed_of: datetime | None, now: datetime) -> bool:
        """Whether a link out of a mail may have this mailbox asked once more.

        *confirmed_of*: when the last request was made that the mailbox confirmed.
        """
        boxes = self._keys.boxes(one.email)
        sent = [moment for box in boxes for moment in self._again.get(box, ())]
        return link_meter.may_ask_again(sent, confirmed_of, now)

    def is_blocked(self, one: Address) -> bool:
        """Whether nobody but the mailbox itself may have it asked, however it is spelled."""
        return any(self._blocked.get(block) for block in self._keys.blocks(one))

    def stop(
        self, subject: str, one: Address, kind: Kind = Kind.CONFIRMATION
    ) -> tuple[str, ServiceMail]:
        """The token by which the mailbox stops such mails, and its row."""
        return service_mails.new(self._keys.suppression, kind, subject, one)

    def _of(self, key: bytes) -> Count:
        return self._counted.get(key, _NEVER)

    def _count_all(self, keys: Iterable[bytes], now: datetime) -> None:
        for key in keys:
            self._counted[key] = Count(self._of(key).times + 1, now)
            self._fresh.append(key)

    async def store(self, connection: AsyncConnection, now: datetime) -> None:
        """Keep what was counted."""
        await suppressions.count_mails(connection, self._fresh, now)

    async def _turn(
        self, connection: AsyncConnection, one: Address, now: datetime
    ) -> timedelta | None:
        """How long a mail to the recipient's domain waits; None: too long."""
        if not self._keys.limited:
            return timedelta()
        limit = limits.PROVIDER if one.domain in providers.mailbox_providers() else limits.DOMAIN
        keys = [limits.limit_key(secret, limit, one.domain) for secret in self._keys.weekly]
        return await limits.reserve(connection, keys, limit, now, LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class _Counter:
    """One count over seven days: kept under the first of its keys, this week's; read under each."""

    keys: tuple[bytes, ...]
    at_most: int

    def is_full(self, counted: Mapping[bytes, Count]) -> bool:
        return sum(counted.get(key, _NEVER).times for key in self.keys) >= self.at_most


def _keys(weekly: Sequence[Secret], one: Asking) -> list[bytes]:
    """Every key that *one* is counted under."""
    counters = _counters(weekly, one, is_new=False)
    places = [_of_place(weekly, domain, one, 1) for domain in (_ASKED_FROM, _TURNS)]
    noted = (
        *contested.with_mail(weekly, one.origins),
        *contested.without_mail(weekly, one.email),
        *contested.for_nothing(weekly, one.email),
    )
    return [*(key for counter in (*places, *counters) for key in counter.keys), *noted]


def _of_place(weekly: Sequence[Secret], domain: str, one: Asking, at_most: int) -> _Counter:
    """That this mailbox was asked for from there: says neither without the weekly key."""
    pair = f"{address.folded(one.email)}\0{one.network or ''}"
    return _Counter(tuple(blind.keyed(secret, domain, pair) for secret in weekly), at_most)


def _counters(weekly: Sequence[Secret], one: Asking, *, is_new: bool) -> list[_Counter]:
    """What a mail counts against: its mailbox, and the mailbox's tags where it has one."""
    bounds = {_MAILBOX: CONFIRMATIONS_A_WEEK - (0 if is_new else KEPT_CONFIRMATIONS)}
    if address.is_tagged(one.email):
        bounds[_TAGGED] = TAGGED_CONFIRMATIONS_A_WEEK
    folded = address.folded(one.email)
    return [
        _Counter(tuple(blind.keyed(secret, domain, folded) for secret in weekly), at_most)
        for domain, at_most in bounds.items()
    ]
