"""The marketing automation hands in messages: each is queued or refused, and told why at once.

What is refused is audited, and its content is not kept. What is queued is
decided again when it is claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, Item, draft
from audit.kinds import Actor, Kind
from consent import gates
from consent.keys.vault import Compartment, Vault
from consent.model import Reason, Refused
from delivery import outbox
from delivery.errors import TemplateError
from delivery.outbox import NewMessage
from delivery.outcome import Kind as MailKind
from delivery.schedule import LIFE
from gateway.callers import idempotency
from gateway.callers.idempotency import Remembered, Ticket
from gateway.errors import Invalid, RequestError
from gateway.flows.sending import permission
from gateway.flows.sending.composing import frame
from gateway.flows.sending.content import new_message, of_caller
from gateway.flows.sending.permission import Advice, Question
from gateway.parts import Parts

_SERVICE = frozenset({"confirmation", "my_data"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One message as it was handed in, checked for shape."""

    to: Question
    # {"template", "data"} or {"subject", "html", "text"}
    content: Mapping[str, Any] = field(repr=False)
    origin: str  # whose message it is: the id of the API key
    send_at: datetime | None = None
    expires_at: datetime | None = None
    reference: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Queued:
    message: str


@dataclass(frozen=True, slots=True)
class Handed:
    """One message as it came, with the name of its request where that may be repeated."""

    wanted: Wanted
    named: idempotency.Request | None = None


Taken = Queued | Refused | Remembered  # what became of one
Say = Callable[[Queued | Refused], bytes | None]  # the answer to remember; None: not this one


def check_content(parts: Parts, purpose: str, content: Mapping[str, Any]) -> None:
    """Raise `Invalid` for a template that is not there or lacks a variable.

    Renders for a recipient of every language that the purpose has: what is
    wrong is told now, while the caller listens, and not when the mail is due.
    """
    known = parts.config.purposes.get(purpose)
    if known is None or "template" not in content:
        return
    if content["template"] in _SERVICE:
        raise Invalid.at("/content/template", "is for the gateway's own mails")
    for locale in known.text:
        framed = frame(parts.config, known.sender, locale)
        try:
            parts.templates.check(content["template"], locale, content["data"], framed, footer=True)
        except TemplateError as error:
            if error.missing is not None:
                raise Invalid.at(f"/content/data/{error.missing}", "is required") from None
            raise Invalid.at("/content/template", error.problem) from None


async def accept_all(
    parts: Parts, say: Say, handed: Sequence[Handed]
) -> list[Taken | RequestError]:
    """Queue or refuse what came at the same time, in one transaction; answers in order.

    What was answered before is not done again: told is what was remembered, or
    why that cannot be (InFlight, KeyReused). Nothing happened when this raises.
    """
    vault = await parts.keystore.vault(await known_subjects(parts, [one.wanted for one in handed]))
    async with parts.data.begin() as connection:
        taken = await _take(parts, connection, handed)
        told: dict[int, Taken | RequestError] = {
            n: one for n, one in taken.items() if not isinstance(one, Ticket)
        }
        new = [n for n in range(len(handed)) if n not in told]
        outcomes = await enqueue(parts, connection, [handed[n].wanted for n in new], vault)
        told |= dict(zip(new, outcomes, strict=True))
        answers = [
            (ticket, say(outcome))
            for n, outcome in zip(new, outcomes, strict=True)
            if isinstance(ticket := taken.get(n), Ticket)
        ]
        await idempotency.answer_all(connection, answers, 202)
    return [told[n] for n in range(len(handed))]


async def accept_batch(
    parts: Parts,
    wanted: Sequence[Wanted],
    ticket: Ticket | None,
    answered: Callable[[Sequence[Queued | Refused]], bytes],
) -> tuple[Sequence[Queued | Refused], bytes]:
    """Queue a batch and remember its answer in one transaction of its own: it may be long."""
    vault = await parts.keystore.vault(await known_subjects(parts, wanted))
    async with parts.data.begin() as connection:
        outcomes = await enqueue(parts, connection, wanted, vault)
        body = answered(outcomes)
        if ticket is not None:
            await idempotency.remember(connection, ticket, 200, body)
    return outcomes, body


async def _take(
    parts: Parts, connection: AsyncConnection, handed: Sequence[Handed]
) -> dict[int, Ticket | Remembered | RequestError]:
    """The right to do each request that has a name, by its place in *handed*."""
    named = {n: one.named for n, one in enumerate(handed) if one.named is not None}
    now = await parts.clock.now(connection)
    found = await idempotency.take_all(connection, list(named.values()), now)
    return dict(zip(named, found, strict=True))


async def enqueue(
    parts: Parts, connection: AsyncConnection, wanted: Sequence[Wanted], vault: Vault
) -> list[Queued | Refused]:
    """Queue what may be mailed as it stands now, refuse the rest, in order.

    *vault* holds the keys of `known_subjects`; somebody who appeared since is
    not yet known. The caller commits.
    """
    advice = await permission.advise(parts, connection, [one.to for one in wanted])
    now = await parts.clock.now(connection)
    outcome: list[Queued | Refused] = []
    messages: list[NewMessage] = []
    for one, given in zip(wanted, advice, strict=True):
        refused = _refusal(given, vault)
        if refused is not None:
            outcome.append(refused)
            continue
        message = _message(parts, one, given, vault, now)
        messages.append(message)
        outcome.append(Queued(message.id))
    await outbox.enqueue(connection, messages, now)
    await _audit_refusals(parts, connection, wanted, advice, outcome, vault, now)
    return outcome


async def known_subjects(parts: Parts, wanted: Sequence[Wanted]) -> set[str]:
    """Whose keys an `enqueue` will need."""
    async with parts.data.read() as connection:
        found = await permission.find_subjects(parts, connection, [one.to for one in wanted])
    return {one for one in found if one is not None}


def _refusal(given: Advice, vault: Vault) -> Refused | None:
    if isinstance(given.decision, Refused):
        return given.decision
    if not gates.usable(given.gate, vault, Compartment.PROFILE):
        return Refused(Reason.UNKNOWN)
    return None


def _message(parts: Parts, one: Wanted, given: Advice, vault: Vault, now: datetime) -> NewMessage:
    assert given.gate is not None  # noqa: S101 `_refusal` looked
    due_at = max(one.send_at or now, now)
    return new_message(
        of_caller(one.content, one.reference),
        vault,
        now,
        kind=MailKind.MARKETING,
        subject=given.gate.subject,
        purpose=one.to.purpose,
        sender=parts.config.purposes[one.to.purpose].sender,
        due_at=due_at,
        expires_at=one.expires_at or due_at + LIFE,
        origin=one.origin,
    )


async def _audit_refusals(
    parts: Parts,
    connection: AsyncConnection,
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
        told = gates.usable(given.gate, vault, Compartment.EVIDENCE)
        known = given.gate.subject if told and given.gate else None
        items.append(Item(known, {"purpose": one.to.purpose, "reason": result.reason}))
    if items:
        event = Event(Kind.MESSAGE_REFUSED, Actor.API, now, items=items)
        await parts.log.stage(connection, [draft(event, vault, parts.log.node)])


class Cancellation(StrEnum):
    """What became of the wish to cancel a message."""

    DONE = "done"
    TOO_LATE = "too_late"  # it is on its way, or has ended otherwise
    UNKNOWN = "unknown"  # no such message of this caller


async def cancel(parts: Parts, message: str, origin: str) -> Cancellation:
    """Cancel what still waits; safe to repeat."""
    async with parts.data.begin() as connection:
        row = (await outbox.lock(connection, [message])).get(message)
        if row is None or row.origin != origin:
            return Cancellation.UNKNOWN
        if row.status is outbox.Status.CANCELLED:
            return Cancellation.DONE
        if row.status not in outbox.WAITING:
            return Cancellation.TOO_LATE
        now = await parts.clock.now(connection)
        change = outbox.Change(message, outbox.Status.CANCELLED, "cancelled_by_sender")
        await outbox.change(connection, [change], now)
        event = Event(Kind.MESSAGE_CANCELLED, Actor.API, now)
        await parts.log.stage(connection, [draft(event, None, parts.log.node)])
    return Cancellation.DONE
