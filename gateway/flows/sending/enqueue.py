"""The marketing automation hands in messages: each is queued or refused, and told why at once.

What is refused is audited, and its content is not kept. What is queued is
decided again when it is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, Item, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import gates, specimens
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.lookup import Found, LookUp
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
from gateway.flows.sending.permission import Advice, Question
from gateway.parts import Parts
from storage.clock import Clock
from storage.database import Database


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


async def accept_all(parts: Parts, handed: Sequence[Handed]) -> list[Taken]:
    """Queue or refuse the messages of some requests in one transaction; answers in order.

    What was done before under its name is not done again: told is what became of
    it then, or why that cannot be told. What is done now is remembered by the
    same transaction: there is no moment at which one stands without the other.
    Nothing happened when this raises.
    """
    every = [message for request in handed for message in request.wanted]
    meant = await _meant(parts.data, parts.lookup, every)
    vault = await parts.keystore.vault({one.subject for one in meant if one is not None})
    async with parts.data.begin() as connection:
        taken = await _take(connection, handed, parts.clock)
        new = [n for n, before in enumerate(taken) if before is None or isinstance(before, Ticket)]
        # In the order in which they were handed in, as *meant* is.
        found = iter(meant)
        known = [[next(found) for _ in request.wanted] for request in handed]
        wanted = [message for n in new for message in handed[n].wanted]
        theirs = [one for n in new for one in known[n]]
        decided = iter(await enqueue(parts, connection, wanted, vault, theirs))
        done = {n: _done(handed[n], decided) for n in new}
        remembered = [
            (ticket, accepted.document(done[n].outcomes, batch=handed[n].batch))
            for n in new
            if isinstance(ticket := taken[n], Ticket)
        ]
        await idempotency.remember(connection, remembered)
    return [
        before if isinstance(before, Done | Clash) else done[n] for n, before in enumerate(taken)
    ]


def _done(request: Handed, decided: Iterator[Queued | Refused]) -> Done:
    """What became of one request, whose messages come next in *decided*."""
    return Done([one if isinstance(one, Told) else next(decided) for one in request.messages])


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


async def enqueue(
    parts: Parts,
    connection: AsyncConnection,
    wanted: Sequence[Wanted],
    vault: Vault,
    found: Sequence[Found | None] | None = None,
) -> list[Queued | Refused]:
    """Queue what may be mailed as it stands now, refuse the rest, in order.

    *vault* holds the keys of those whom the messages meant a moment ago: *found*.
    Somebody who appeared since is not yet known. The caller commits.
    """
    if not wanted:
        return []
    advice = await permission.advise(parts, connection, [one.to for one in wanted], found)
    now = advice[0].at
    outcome: list[Queued | Refused] = []
    messages: list[NewMessage] = []
    for one, given in zip(wanted, advice, strict=True):
        refused = _refusal(given, vault)
        if refused is not None:
            outcome.append(refused)
            continue
        message = _message(parts.config, one, given, vault, now)
        messages.append(message)
        passed = one.send_at is not None and one.send_at < now
        outcome.append(Queued(message.id, send_at_passed=passed))
    await _keep_templates(connection, wanted, outcome, now)
    await outbox.enqueue(connection, parts.rows, messages, now)
    await _audit_refusals(connection, parts.log, wanted, advice, outcome, vault, now)
    return outcome


async def _keep_templates(
    connection: AsyncConnection,
    wanted: Sequence[Wanted],
    outcome: Sequence[Queued | Refused],
    now: datetime,
) -> None:
    """Keep the versions that queued messages name; nothing is kept for one that was refused."""
    pairs = zip(wanted, outcome, strict=True)
    queued = [one.kept for one, became in pairs if isinstance(became, Queued)]
    await specimens.keep(connection, [one for one in queued if one is not None], now)


async def _meant(
    data: Database, lookup: LookUp, wanted: Sequence[Wanted]
) -> Sequence[Found | None]:
    """Whom each message is for: asked once, their keys come before anybody is locked."""
    async with data.read() as connection:
        return await permission.find_subjects(connection, lookup, [one.to for one in wanted])


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
    wanted: Sequence[Wanted],
    advice: Sequence[Advice],
    outcome: Sequence[Queued | Refused],
    vault: Vault,
    now: datetime,
) -> None:
    items = []
    for one, given, result in zip(wanted, advice, outcome, strict=True):
        if isinstance(result, Queued):
            continue
        facts = {"purpose": one.to.purpose, "reason": result.reason}
        facts |= {} if one.origin is None else {"api_key": one.origin}
        items.append(Item(given.about(vault), facts))
    if items:
        by_operator = all(one.origin is None for one in wanted)
        actor = Actor.OPERATOR if by_operator else Actor.API
        event = Event(Kind.MESSAGE_REFUSED, actor, now, items=items)
        await log.stage(connection, [draft(event, vault, log.node)])


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
