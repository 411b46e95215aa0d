"""How often an address may be asked to confirm. Silent: whoever posts the form learns nothing.

Counters and blocks fold plus-tags and dots, so that spellings of one mailbox do
not buy more mails; the identity of a person never does. Neither spellings with a
tag nor whoever asked before may use up all of a week's mails: otherwise a
stranger keeps the mailbox itself from being asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, link_meter, service_mails, suppressions, withheld
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
from storage.turns import in_turns

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
    origins: tuple[str, ...] = field(default=(), repr=False)  # from where exactly
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


@dataclass(frozen=True, slots=True)
class _Under:
    """The keyed hashes that one asking is counted, noted and blocked under, each made once."""

    blocks: Sequence[bytes]
    mailbox: tuple[bytes, ...]
    tagged: tuple[bytes, ...]  # none: it has no tag
    place: _Counter
    turns: _Counter
    with_mail: Sequence[bytes]
    without_mail: Sequence[bytes]
    for_nothing: Sequence[bytes]

    @classmethod
    def of(cls, keys: AskingKeys, one: Asking) -> Self:
        weekly, folded = keys.weekly, address.folded(one.email)
        return cls(
            blocks=keys.blocks(one.email),
            mailbox=_each(weekly, _MAILBOX, folded),
            tagged=_each(weekly, _TAGGED, folded) if address.is_tagged(one.email) else (),
            place=_of_place(weekly, _ASKED_FROM, one, 1),
            turns=_of_place(weekly, _TURNS, one, _TURNS_OF_A_PLACE),
            with_mail=contested.with_mail(weekly, one.origins),
            without_mail=contested.without_mail(weekly, one.email),
            for_nothing=contested.for_nothing(weekly, one.email),
        )

    def counters(self, *, is_new: bool) -> list[_Counter]:
        """What a mail counts against: its mailbox, and the mailbox's tags where it has one."""
        at_most = CONFIRMATIONS_A_WEEK - (0 if is_new else KEPT_CONFIRMATIONS)
        counters = [_Counter(self.mailbox, at_most)]
        if self.tagged:
            counters.append(_Counter(self.tagged, TAGGED_CONFIRMATIONS_A_WEEK))
        return counters

    @property
    def counted(self) -> Iterator[bytes]:
        """Every key that it is counted or noted under."""
        counted = (self.mailbox, self.tagged, self.place.keys, self.turns.keys)
        return chain(*counted, self.with_mail, self.without_mail, self.for_nothing)


class AskingLimits:
    """The limits as one transaction sees them.

    Each mail that it allows is counted, and from where each mailbox was asked
    for, mailed or not: that is all that is left of a request without a mail.
    It is asked about every sign-up, wanted or not.
    """

    def __init__(
        self,
        keys: AskingKeys,
        under: dict[Asking, _Under],
        blocked: dict[bytes, set[Stop]],
        counted: dict[bytes, Count],
        again: dict[bytes, list[datetime]],
    ) -> None:
        self._keys = keys
        self._under = under
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
        under = {one: _Under.of(keys, one) async for one in in_turns(askings)}
        hashes = {block for its in under.values() for block in its.blocks}
        counted = {key for its in under.values() for key in its.counted}
        boxes = {box for one in askings if one.by_link for box in keys.boxes(one.email)}
        return cls(
            keys,
            under,
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
            self._count_all(self._of(one).with_mail[:1], now)
        else:
            self._note_without_mail(one, now, wanted=wanted)
        return due_at

    async def _due(
        self, connection: AsyncConnection, one: Asking, now: datetime, *, wanted: bool
    ) -> datetime | None:
        counters = self._counters(one, now)
        goes = wanted and self._may_go(one, counters)
        turns = self._of(one).turns
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
        under, since = self._of(one), now - CONFIRM_WITHIN
        lacks = wanted and not any(self._count(key).since(since) for key in under.with_mail)
        keys = under.without_mail if lacks else under.for_nothing
        if not any(self._count(key).since(now - contested.NOTED_AGAIN) for key in keys):
            told = withheld.keys(self._keys.weekly[:1], wanted=wanted)
            self._count_all((*keys[:1], *told), now)

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
        counters = self._of(one).counters(is_new=False)
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
        under = self._of(one)
        before = under.place.is_full(self._counted)
        if not before:
            self._count_all(under.place.keys[:1], now)
        return under.counters(is_new=one.by_mailbox or not before)

    def _may_go(self, one: Asking, counters: Sequence[_Counter]) -> bool:
        """Whether neither a block nor what went to the mailbox keeps a mail back."""
        if not one.by_mailbox and self._is_stopped(self._of(one).blocks):
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
        return self._is_stopped(self._keys.blocks(one))

    def _is_stopped(self, blocks: Iterable[bytes]) -> bool:
        return any(self._blocked.get(block) for block in blocks)

    def stop(
        self, subject: str, one: Address, kind: Kind = Kind.CONFIRMATION
    ) -> tuple[str, ServiceMail]:
        """The token by which the mailbox stops such mails, and its row."""
        return service_mails.new(self._keys.suppression, kind, subject, one)

    def _of(self, one: Asking) -> _Under:
        under = self._under.get(one)
        return _Under.of(self._keys, one) if under is None else under

    def _count(self, key: bytes) -> Count:
        return self._counted.get(key, _NEVER)

    def _count_all(self, keys: Iterable[bytes], now: datetime) -> None:
        for key in keys:
            self._counted[key] = Count(self._count(key).times + 1, now)
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


def _of_place(weekly: Sequence[Secret], domain: str, one: Asking, at_most: int) -> _Counter:
    """That this mailbox was asked for from there: says neither without the weekly key."""
    pair = f"{address.folded(one.email)}\0{one.network or ''}"
    return _Counter(_each(weekly, domain, pair), at_most)


def _each(weekly: Sequence[Secret], domain: str, value: str) -> tuple[bytes, ...]:
    return tuple(blind.keyed(secret, domain, value) for secret in weekly)
