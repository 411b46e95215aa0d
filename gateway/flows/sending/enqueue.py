"""The marketing automation hands in messages: each is queued or refused, and told why at once.

What is refused is audited, and its content is not kept. What is queued is
decided again when it is claimed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, Item, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import gates, shares, specimens
from consent.asked_about import AskedAbout
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.model import Reason, Refused
from consent.specimens import Specimen
from delivery import changing, outbox
from delivery.blemishes import Blemish
from delivery.outbox import NewMessage
from delivery.outcome import Kind as MailKind
from delivery.schedule import LIFE
from gateway.callers import idempotency
from gateway.callers.idempotency import Clash, Name, Remembered, Ticket
from gateway.config.config import Config
from gateway.flows.sending import accepted, ends, permission
from gateway.flows.sending.accepted import Outcome, Queued, Told
from gateway.flows.sending.content import new_message, of_caller
from gateway.flows.sending.permission import Advice, Advised, Question
from gateway.parts import Parts
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.writing import While


@dataclass(frozen=True, slots=True)
class Wanted:
    """One message as it was handed in, checked for shape."""

    to: Question
    # {"template", "data"} or {"subject", "html", "text"}
    content: Mapping[str, Any] = field(repr=False)
    origin: str | None  # whose message it is: the id of the API key; none: an operator's
    send_at: datetime | None = None
    expires_at: datetime | None = None
    reference: str | None = field(default=None, repr=False)
    kept: Specimen | None = field(default=None, repr=False)  # the template that it names
    blemishes: Sequence[Blemish] = ()  # what its caller is told beside
    found_by: bytes | None = field(default=None, repr=False)  # the reference, keyed


@dataclass(frozen=True, slots=True)
class Handed:
    """The messages of one request, in order, and its name where it may be repeated.

    What the caller is told without a decision keeps its place among them.
    """

    messages: Sequence[Wanted | Told]
    name: Name | None = None
    batch: bool = False

    @property
    def wanted(self) -> list[Wanted]:
        return [message for message in self.messages if isinstance(message, Wanted)]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a request's messages, in order; *again*: it was done before, and not now."""

    outcomes: Sequence[Outcome]
    again: bool = False


Taken = Done | Clash  # what became of one request


@dataclass(frozen=True, slots=True)
class _Decided:
    """What becomes of one message; there is a *message* to queue where it was not refused."""

    wanted: Wanted
    given: Advice
    outcome: Queued | Refused
    message: NewMessage | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    """What becomes of some messages, in order; *new*: versions of templates that are not kept.

    *about* is what it was decided from, where those whom it is about are not held (`shares`).
    """

    decided: Sequence[_Decided]
    new: Sequence[Specimen]
    vault: Vault
    about: AskedAbout | None

    def of(self, decided: Sequence[_Decided]) -> _Ready:
        """Of some of them alone."""
        return replace(self, decided=decided)

    @property
    def is_old(self) -> bool:
        return self.about is not None and self.about.is_old

    def still(self, people: Collection[str]) -> While | None:
        """What must be so to write about these."""
        return None if self.about is None else shares.while_live(people, self.about.until)


class _Removed(Exception):
    """An erasure is at somebody who was to be written about, or it is long since; roll back."""


async def accept_all(parts: Parts, handed: Sequence[Handed]) -> list[Taken]:
    """Queue or refuse the messages of some requests in one transaction; answers in order.

    What was done before under its name is not done again: told is what became of
    it then, or why that cannot be told. What is done now is remembered by the
    same transaction: there is no moment at which one stands without the other.
    Nothing happened when this raises.
    """
    every = [message for request in handed for message in request.wanted]
    questions = [one.to for one in every]
    async with parts.data.read() as connection:
        advised = await permission.advise(parts, connection, questions)
        new = await specimens.not_whole(connection, [one.kept for one in every if one.kept])
    vault = await parts.keystore.vault(advised.subjects)
    decided = _decide_all(parts.config, every, advised, vault)
    ready = _Ready(decided, new, vault, advised.about)
    stores = (parts.clock, parts.rows, parts.log)
    try:
        async with _opening(parts.data, handed, ready) as connection:
            return await _write(connection, *stores, handed, ready)
    except _Removed:
        pass
    async with parts.data.begin() as connection:
        known = await shares.share(connection, advised.subjects)
        advised = await permission.advise(parts, connection, questions, among=known)
        # Held from here on: also whose erasure begins meanwhile is not removed before the end.
        ready = _Ready(_decide_all(parts.config, every, advised, vault), new, vault, None)
        return await _write(connection, *stores, handed, ready)


async def _write(
    connection: AsyncConnection,
    clock: Clock,
    keys: RowKeys,
    log: Log,
    handed: Sequence[Handed],
    ready: _Ready,
) -> list[Taken]:
    """Write what was decided of those requests that were not done before. Raises `_Removed`."""
    taken = await _take(connection, handed, clock)
    # In the order in which they were handed in, as what was decided is.
    each = iter(ready.decided)
    theirs = [[next(each) for _ in request.wanted] for request in handed]
    now = [n for n, before in enumerate(taken) if before is None or isinstance(before, Ticket)]
    await enqueue(connection, keys, log, ready.of([one for n in now for one in theirs[n]]))
    done = {n: _done(handed[n], iter(theirs[n])) for n in now}
    remembered = [
        (ticket, accepted.document(done[n].outcomes, batch=handed[n].batch))
        for n in now
        if isinstance(ticket := taken[n], Ticket)
    ]
    await idempotency.remember(connection, remembered)
    return [
        before if isinstance(before, Done | Clash) else done[n] for n, before in enumerate(taken)
    ]


def _opening(
    data: Database, handed: Sequence[Handed], ready: _Ready
) -> AbstractAsyncContextManager[AsyncConnection]:
    """A transaction; none where what is written is one statement."""
    queued = {one.message is not None for one in ready.decided}
    if ready.new or len(queued) > 1 or any(request.name is not None for request in handed):
        return data.begin()
    return data.in_one()


def _done(request: Handed, decided: Iterator[_Decided]) -> Done:
    """What became of one request, whose messages come next in *decided*."""
    return Done(
        [one if isinstance(one, Told) else next(decided).outcome for one in request.messages]
    )


async def _take(
    connection: AsyncConnection, handed: Sequence[Handed], clock: Clock
) -> list[Ticket | Taken | None]:
    """For each request in order the right to do it, or what stands in its way; None: no name."""
    names = [request.name for request in handed if request.name is not None]
    if not names:
        return [None] * len(handed)
    taken = iter(await idempotency.take(connection, names, await clock.now(connection)))
    return [None if request.name is None else _known(next(taken)) for request in handed]


def _known(found: Ticket | Remembered | Clash) -> Ticket | Taken:
    if isinstance(found, Remembered):
        return Done(accepted.read(found.document), again=True)
    return found


async def enqueue(connection: AsyncConnection, keys: RowKeys, log: Log, ready: _Ready) -> None:
    """Queue what may be mailed, and audit the refusal of the rest; the caller commits.

    A version of a template is kept where a queued message names it, and not for one that
    was refused. Raises `_Removed`: roll back, and decide again.
    """
    if not ready.decided:
        return
    if ready.is_old:
        raise _Removed
    now = ready.decided[0].given.at
    queued = [one for one in ready.decided if one.message is not None]
    named = {one.wanted.kept.name for one in queued if one.wanted.kept is not None}
    await specimens.keep(connection, [one for one in ready.new if one.name in named], now)
    messages = [one.message for one in queued if one.message is not None]
    still = ready.still({message.subject for message in messages})
    if not await outbox.enqueue(connection, keys, messages, now, still):
        raise _Removed
    await _audit_refusals(connection, log, ready, now)


def _decide_all(
    config: Config, wanted: Sequence[Wanted], advised: Advised, vault: Vault
) -> list[_Decided]:
    pairs = zip(wanted, advised.advice, strict=True)
    return [_decide(config, one, given, vault) for one, given in pairs]


def _decide(config: Config, one: Wanted, given: Advice, vault: Vault) -> _Decided:
    refused = _refusal(given, vault)
    if refused is not None:
        return _Decided(one, given, refused)
    message = _message(config, one, given, vault, given.at)
    passed = one.send_at is not None and one.send_at < given.at
    return _Decided(one, given, Queued(message.id, send_at_passed=passed), message)


def _refusal(given: Advice, vault: Vault) -> Refused | None:
    if isinstance(given.decision, Refused):
        return given.decision
    if not gates.usable(given.gate, vault, Compartment.PROFILE):
        return Refused(Reason.UNKNOWN)
    return None


def _message(config: Config, one: Wanted, given: Advice, vault: Vault, now: datetime) -> NewMessage:
    assert given.gate is not None  # noqa: S101 `_refusal` looked
    due_at = max(one.send_at or now, now)
    return new_message(
        of_caller(one.content, one.reference),
        vault,
        now,
        kind=MailKind.MARKETING,
        subject=given.gate.subject,
        purpose=one.to.purpose,
        sender=config.purposes[one.to.purpose].sender,
        id_domain=config.sender_of(one.to.purpose).dkim_domain,
        due_at=due_at,
        expires_at=one.expires_at or due_at + LIFE,
        origin=one.origin,
        reference=one.found_by,
    )


async def _audit_refusals(
    connection: AsyncConnection,
    log: Log,
    ready: _Ready,
    now: datetime,
) -> None:
    items = []
    for one in ready.decided:
        if isinstance(one.outcome, Queued):
            continue
        facts = {"purpose": one.wanted.to.purpose, "reason": one.outcome.reason}
        facts |= {} if one.wanted.origin is None else {"api_key": one.wanted.origin}
        items.append(Item(one.given.about(ready.vault), facts))
    if not items:
        return
    by_operator = all(one.wanted.origin is None for one in ready.decided)
    actor = Actor.OPERATOR if by_operator else Actor.API
    event = Event(Kind.MESSAGE_REFUSED, actor, now, items=items)
    people = {item.subject for item in items if item.subject is not None}
    told = [draft(event, ready.vault, log.node)]
    if not await log.stage(connection, told, provided=ready.still(people)):
        raise _Removed


class Cancellation(StrEnum):
    """What became of the wish to cancel a message."""

    DONE = "done"
    TOO_LATE = "too_late"  # it is on its way, or has ended otherwise
    UNKNOWN = "unknown"  # no such message of this caller


async def cancel(
    data: Database, keystore: KeyStore, clock: Clock, log: Log, message: str, origin: str
) -> Cancellation:
    """Cancel what still waits; safe to repeat."""
    async with data.read() as connection:
        wanted = await outbox.get(connection, message)
    if wanted is None or wanted.origin != origin:
        return Cancellation.UNKNOWN
    vault = await keystore.vault([wanted.subject])
    async with data.begin() as connection:
        row = (await outbox.lock(connection, [message])).get(message)
        if row is None or row.origin != origin:
            return Cancellation.UNKNOWN
        if row.status is outbox.Status.CANCELLED:
            return Cancellation.DONE
        if row.status not in outbox.WAITING:
            return Cancellation.TOO_LATE
        now = await clock.now(connection)
        change = changing.Change(message, outbox.Status.CANCELLED, "cancelled_by_sender")
        await changing.change(connection, [change], now)
        # The queue is locked: an erasure that waits for it counts this item, too.
        item = ends.item(row, change.reason, named=vault.has(row.subject, Compartment.EVIDENCE))
        event = Event(Kind.MESSAGE_CANCELLED, Actor.API, now, items=[item])
        await log.stage(connection, [draft(event, vault, log.node)])
    return Cancellation.DONE
