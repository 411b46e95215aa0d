"""What became of transmissions: written in groups, fenced by attempt and owner."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Item
from audit.kinds import Actor
from audit.kinds import Kind as EventKind
from audit.log import Log
from consent import gates, links, specimens
from consent.evidence import MailSent, ServerReply
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.specimens import Specimen, What
from consent.subject_evidence import Suppressed
from consent.trail import Trail
from delivery import attempts, changing, outbox, permits
from delivery.attempts import ABORTED, AttemptEnd
from delivery.changing import Change
from delivery.desk import Ended, Kept
from delivery.outbox import Message, Status
from delivery.outcome import Outcome, Reply, Verdict, judge
from delivery.schedule import begin_again, next_due
from delivery.transmission import Peer
from gateway.config.config import Config
from gateway.flows.sending import bad_messages, composing, ends, kept_mails, occasion
from gateway.flows.sending.occasion import ToAddress, ToConfirm
from gateway.parts import Parts
from gateway.watch import logs
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.isolation import isolated

log = structlog.get_logger()

T = TypeVar("T")
R = TypeVar("R")
_NO_KEYS = Vault({})
_NOT_COMPOSABLE = "not_composable"


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt's outcome, on its way into the database and the log."""

    message: Message
    change: Change
    outcome: str
    reply: Reply | None = None
    digest: str | None = None
    signature: str | None = None
    suppress: bool = False
    ours: bool = False
    kept: Kept | None = None
    peer: Peer | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The outcomes that were written, and the messages of which nothing could be."""

    written: Sequence[Result]
    lost: frozenset[str]


async def settle(parts: Parts, owner: str, ended: Sequence[Ended[object]]) -> Settled:
    """Write outcomes and return them; a mail that never began has none.

    What could not be composed ends `failed`: its permit lapses, and nothing was
    sent. Those of an attempt that was taken over are dropped. Only an acceptance
    outlives its lease: it turns `uncertain`, or a second try that was not
    begun, into `sent`.
    """

    async def write(some: Sequence[Ended[object]], vault: Vault) -> list[Result]:
        async with parts.data.begin() as connection:
            rows = await outbox.lock(connection, [one.parcel.message for one in some])
            now = await parts.clock.now(connection)
            judged = [
                (one, rows[one.parcel.message], judge(one.ending, one.parcel.kind))
                for one in some
                if one.parcel.message in rows
            ]
            current = [(o, m, v) for o, m, v in judged if _counts(o, m, v, owner)]
            unbegun = [(o, m) for o, m, v in current if v.outcome is _NOT_STARTED]
            await take_back(connection, [m for o, m in unbegun if not o.unsendable], now)
            given_up = [m for o, m in unbegun if o.unsendable]
            await _give_up(connection, given_up, now)
            begun = [(o, m, v) for o, m, v in current if v.outcome is not _NOT_STARTED]
            broken_off = [(m.id, m.attempt) for o, m, _ in begun if o.ending.reply is None]
            await permits.use_up(connection, broken_off, now)
            results = [_result(*one, now) for one in begun]
            await record(
                connection,
                parts.clock,
                parts.log,
                parts.rows,
                results,
                vault,
                composed_by=parts.config,
            )
            await _tell_given_up(connection, parts.log, given_up, vault, now)
        return results

    vault = await parts.keystore.vault({one.parcel.subject for one in ended})
    outcomes = [(one.parcel.message, one) for one in ended]
    groups, lost = await severally(parts.data, parts.clock, outcomes, vault, write)
    written = [result for some in groups for result in some]
    for one in written:
        if one.ours and (reply := one.reply) is not None:
            name = one.message.id
            log.warning("relay_objects", message=name, code=reply.code, enhanced=reply.enhanced)
    return Settled(written, lost)


async def severally(
    data: Database,
    clock: Clock,
    outcomes: Sequence[tuple[str, T]],
    vault: Vault,
    write: Callable[[Sequence[T], Vault], Awaitable[R]],
) -> tuple[list[R], frozenset[str]]:
    """Write outcomes, each with the id of its message, at once; no bad one keeps another back.

    One that cannot be written is written as if its person's keys were gone: what
    became of the message is known then, and no event of the person tells of it.
    Where that fails too the message is parked as it is, and named in the answer:
    whoever has a journal keeps its line, or the message would be sent again.
    """
    done, failed = await isolated(lambda some: write([one for _, one in some], vault), outcomes)
    for (message, _), error in failed:
        logs.failed("outcome_failed", error, message=message)
    bare = [one for one, _ in failed]
    more, lost = await isolated(lambda some: write([one for _, one in some], _NO_KEYS), bare)
    errors = {message: error for (message, _), error in lost}
    await bad_messages.leave(data, clock, errors)
    return done + more, frozenset(errors)


_NOT_STARTED = Outcome.NOT_STARTED


def _counts(one: Ended[object], message: Message, verdict: Verdict, owner: str) -> bool:
    """The fence: a stale worker's word about an attempt is only taken when it is "accepted"."""
    if message.attempt != one.parcel.attempt:
        return False
    if message.status is Status.SENDING and message.owner == owner:
        return True
    doubted = (Status.UNCERTAIN, *outbox.WAITING)
    return message.status in doubted and verdict.outcome is Outcome.SENT


async def take_back(
    connection: AsyncConnection, messages: Sequence[Message], now: datetime
) -> None:
    """MAIL was never written: the permits lapse and the attempts did not happen."""
    await _undo_attempts(connection, messages)
    changes = [
        Change(one.id, Status.QUEUED, due_at=begin_again(one.attempt - one.tries, now))
        for one in messages
    ]
    await changing.change(connection, changes, now)


async def take_back_lost(
    data: Database, clock: Clock, owner: str, carried: Collection[tuple[str, int]]
) -> int:
    """Queue again what *owner* holds without carrying that attempt, once its permits ran out."""
    async with data.begin() as connection:
        now = await clock.now(connection)
        lost = await permits.lock_unused(connection, owner, carried, now)
        await take_back(connection, lost, now)
    if lost:
        log.warning("messages_taken_back", worker=owner, messages=len(lost))
    return len(lost)


async def _give_up(connection: AsyncConnection, messages: Sequence[Message], now: datetime) -> None:
    await _undo_attempts(connection, messages)
    changes = [Change(one.id, Status.FAILED, _NOT_COMPOSABLE) for one in messages]
    await changing.change(connection, changes, now)


async def _tell_given_up(
    connection: AsyncConnection,
    log: Log,
    messages: Sequence[Message],
    vault: Vault,
    now: datetime,
) -> None:
    """As a claim tells of what it ends."""
    items = [ends.item(one, _NOT_COMPOSABLE, named=_can_seal(one, vault)) for one in messages]
    if items:
        trail = Trail(log, vault, {})
        trail.record_batch(EventKind.PERMIT_BATCH, now, items)
        await trail.stage(connection)


def _can_seal(message: Message, vault: Vault) -> bool:
    return vault.has(message.subject, Compartment.EVIDENCE)


async def _undo_attempts(connection: AsyncConnection, messages: Sequence[Message]) -> None:
    begun = [(one.id, one.attempt) for one in messages]
    await permits.lapse(connection, begun)
    await attempts.drop(connection, begun)


def _result(one: Ended[object], message: Message, verdict: Verdict, now: datetime) -> Result:
    return Result(
        message=message,
        change=_change(one, message, verdict, now),
        outcome=ABORTED if one.aborted else verdict.outcome,
        reply=one.ending.reply,
        digest=one.digest,
        signature=one.signature,
        suppress=verdict.suppress,
        ours=verdict.ours,
        kept=one.kept,
        peer=one.peer,
    )


def _change(one: Ended[object], message: Message, verdict: Verdict, now: datetime) -> Change:
    if one.aborted:  # by us, for us: the relay and the recipient had no part in it
        return Change(message.id, Status.QUEUED, due_at=now, tried=True)
    if not verdict.again:
        return Change(message.id, Status(verdict.outcome.value), tried=True)
    if verdict.at_once:
        return Change(message.id, Status.QUEUED, due_at=now)
    doubt = verdict.outcome is Outcome.UNCERTAIN
    due = next_due(message.tries + 1, now, message.id, in_doubt=doubt)
    # At its expiry it is claimed once more, and ends there.
    return Change(message.id, Status.DEFERRED, None, min(due, message.expires_at), tried=True)


async def record(
    connection: AsyncConnection,
    clock: Clock,
    log: Log,
    keys: RowKeys,
    results: Sequence[Result],
    vault: Vault,
    *,
    composed_by: Config | None = None,
) -> None:
    """Write results of locked messages: states, attempts, suppressions, audit.

    *composed_by* is the configuration that the mails were composed under; none:
    another process did it, under one that may have been another.

    Marketing takes no gate here; a confirmation mail that went out and a
    mailbox that does not exist are events in a person's own trail, and do. Who
    is being erased has no trail any more.
    """
    confirming = [r for r in results if _token(r.message) and r.outcome == Outcome.SENT]
    suppressing = [r for r in results if r.suppress and not _goes_elsewhere(r.message)]
    held = await gates.lock(connection, {r.message.subject for r in confirming + suppressing})
    confirming = [r for r in confirming if _has_trail(r.message, held, vault)]
    suppressing = [r for r in suppressing if _has_trail(r.message, held, vault)]
    now = await clock.now(connection)
    await changing.change(connection, [r.change for r in results], now)
    await attempts.end(connection, [_attempt_end(r, vault) for r in results], now)
    trail = Trail(log, vault, held)
    await _record_confirmations(connection, composed_by, trail, confirming, vault, now)
    await _suppress(connection, keys, trail, suppressing, held, now)
    items = [_item(r) if _can_seal(r.message, vault) else _bare_item(r) for r in results]
    if items:
        trail.record_batch(EventKind.DELIVERY_BATCH, now, items)
    await trail.stage(connection)


def _has_trail(message: Message, held: Mapping[str, Gate], vault: Vault) -> bool:
    return gates.usable(held.get(message.subject), vault, Compartment.EVIDENCE)


def _goes_elsewhere(message: Message) -> bool:
    """Whether it is not to the mailbox on file: what becomes of it there says nothing of that."""
    return isinstance(occasion.of(message), ToAddress)


def _token(message: Message) -> bytes | None:
    """By its hash, the token of a mail that asked for a consent."""
    why = occasion.of(message)
    return why.token_hash if isinstance(why, ToConfirm) else None


def _attempt_end(result: Result, vault: Vault) -> AttemptEnd:
    message, reply = result.message, result.reply
    sealed = None
    if reply is not None and _can_seal(message, vault):
        place = ("attempt", "reply", f"{message.id}/{message.attempt}")
        sealed = vault.seal(message.subject, Compartment.EVIDENCE, place, reply.text.encode())
    return AttemptEnd(
        message=message.id,
        n=message.attempt,
        code=reply.code if reply else None,
        enhanced=reply.enhanced if reply else None,
        outcome=result.outcome,
        reply=sealed,
    )


def _item(result: Result) -> Item:
    reply = result.reply
    facts: dict[str, Any] = {
        "message": result.message.id,
        "attempt": result.message.attempt,
        "outcome": str(result.outcome),
        "code": reply.code if reply else None,
        "enhanced": reply.enhanced if reply else None,
        "mail": result.digest,
    }
    # Blanks may change on a mail's way, and its hash with them: the signature stays.
    by = {} if result.signature is None else {"dkim": result.signature}
    return Item(result.message.subject, facts | by)


def _bare_item(result: Result) -> Item:
    """Of nobody: what became of the message, and no word of its person or of what it said.

    A row that says so where no event does is taken for one that somebody wrote.
    """
    facts = {"message": result.message.id, "attempt": result.message.attempt}
    return Item(None, facts | {"outcome": str(result.outcome)})


async def _record_confirmations(
    connection: AsyncConnection,
    config: Config | None,
    trail: Trail,
    confirming: Sequence[Result],
    vault: Vault,
    now: datetime,
) -> None:
    """Which confirmation mail went out, and what the receiving server said to it."""
    letters = [r.kept.specimen for r in confirming if r.kept is not None]
    await specimens.keep(connection, [Specimen(What.MAIL, one) for one in letters], now)
    tokens = {r.message.id: token for r in confirming if (token := _token(r.message))}
    asked = await links.asked(connection, tokens.values())
    for result in confirming:
        consents = asked.get(tokens[result.message.id], ())
        evidence = _mail_evidence(config, result, consents, vault)
        trail.record(
            EventKind.CONSENT_MAIL_SENT,
            result.message.subject,
            Actor.SYSTEM,
            now,
            evidence=evidence,
        )


def _mail_evidence(
    config: Config | None, result: Result, consents: tuple[str, ...], vault: Vault
) -> MailSent:
    message, reply, token = result.message, result.reply, _token(result.message)
    sender = None if config is None else config.senders.get(message.sender)
    return MailSent(
        message=message.id,
        message_id_header=composing.message_id_header(message),
        sender_address=None if sender is None else sender.from_address,
        mail=result.digest,
        relay=None if config is None else config.delivery.transport,
        reply=ServerReply(reply.code, reply.enhanced, reply.text) if reply else None,
        consents=consents,
        token=None if token is None else token.hex(),
        made_of=None if result.kept is None else kept_mails.made_of(message, result.kept, vault),
        session=None if result.peer is None else kept_mails.session(result.peer),
    )


async def _suppress(
    connection: AsyncConnection,
    keys: RowKeys,
    trail: Trail,
    suppressing: Sequence[Result],
    held: Mapping[str, Gate],
    now: datetime,
) -> None:
    """The server says that the mailbox does not exist: it is not asked again."""
    fresh = {r.message.subject: r for r in suppressing}
    fresh = {one: r for one, r in fresh.items() if held[one].suppressed is None}
    gone = [held[subject] for subject in sorted(fresh)]
    await gates.suppress(connection, keys, gone, "bounce")
    for subject, result in fresh.items():
        trail.record(
            EventKind.SUPPRESSION_ADDED,
            subject,
            Actor.SYSTEM,
            now,
            evidence=Suppressed(result.message.id, "bounce"),
        )
