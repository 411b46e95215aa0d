"""A worker asks for work: lease, decide and permit in one transaction.

This is the only way to SMTP. The address leaves `consent` here, sealed still
and together with the permit that allows it, and nowhere else.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Item
from audit.kinds import Kind as EventKind
from audit.log import Log
from consent import (
    acknowledging,
    address_links,
    facts,
    fresh_links,
    gates,
    kept_outside,
    links,
    moving,
    paces,
    policy,
    re_permission,
)
from consent.address_links import AddressLink
from consent.consents import Consent, Consents
from consent.fresh_links import FreshLink
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.model import Granted, Reason, Refused, Unneeded
from consent.paces import Pace
from consent.trail import Trail
from delivery import attempts, changing, due, leases, outbox, permits
from delivery.attempts import Attempts
from delivery.changing import Change
from delivery.desk import Claimed, Parcel
from delivery.outbox import Message, Parked, Status, Stored
from delivery.outcome import Kind
from delivery.permits import Counted, Permit
from delivery.sharing import Due, in_turn
from gateway.config.config import Config
from gateway.flows.sending import bad_messages, earlier, ends, grounds, occasion, pacing, shared
from gateway.flows.sending.left_since import without_left
from gateway.flows.sending.letters import Letter, Sealed
from gateway.flows.sending.occasion import (
    Occasion,
    ToAddress,
    ToConfirm,
    ToKeep,
    ToOpen,
    ToTell,
    Unknown,
)
from gateway.flows.sending.shared import Shared
from gateway.flows.sending.standing_still import stopped
from gateway.flows.sending.throttle import Decision, Throttle
from gateway.parts import Parts
from storage.clock import Clock
from storage.honesty import RowKeys
from storage.isolation import isolated

_SPARE = 2  # candidates per wanted message: others may have taken the first ones
# The mailbox and the content are opened, and the permit is told of.
_SENDING = (Compartment.PROFILE, Compartment.EVIDENCE)


async def claim(
    parts: Parts, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
) -> Claimed[Letter]:
    """Lease up to *wanted* due messages that may be sent now; the others end or wait.

    Decided are no more than those, or than *most* where many in front of them wait. Refusals,
    deferrals and expiries are written in the same transaction. What is leased and nobody carries
    (an answer got lost) `settle.take_back_lost` finds; what cannot be decided parks.
    """
    async with parts.data.read() as connection:
        now = await parts.clock.now(connection)
        rank = await leases.rank(connection, owner, now)
        asker = _Asker(owner, wanted, max(wanted, most), parts.config.delivery.permit_ttl)
        seen = await due.look(connection, now, asker.most * (rank.of + 1), marketing=marketing)
    if not seen:
        return Claimed()
    candidates = in_turn(seen, rank, now)[: asker.most * _SPARE]
    claimed = Claimed[Letter]()

    async def claim_of(some: Sequence[Due]) -> None:
        left = replace(asker, wanted=wanted - len(claimed))
        if not left.wanted:
            return  # they are healthy, and wait for the next claim
        vault = await parts.keystore.vault({one.subject for one in some})
        said = await shared.fetch(parts.data, parts.keystore, some)
        throttle = await Throttle.fetch(parts.config, parts.keystore, now)
        async with parts.data.begin() as connection:
            ids = [one.message for one in some]
            found = await _lock(connection, parts.clock, parts.rows, left, ids)
            known = await _read(connection, parts.clock, parts.consents, parts.config, found, vault)
            campaigns = {one.campaign for one in found.messages if one.campaign is not None}
            still = await stopped(connection, parts.rows, parts.log.macs, campaigns)
            keys = (parts.marks, parts.lookup, parts.keyring.suppression)
            stand, unsure = await without_left(connection, *keys, known.addresses, vault, known.now)
            known = replace(known, addresses=stand, unsure=unsure, shared=said, stopped=still)
            kept = await throttle.keep(
                connection, found.gates, vault, _decide(known), left.wanted, known.now
            )
            parcels = await _write(connection, parts.log, left, known, kept)
        claimed.extend(parcels)
        claimed.others += len(kept) - len(parcels)

    _, failed = await isolated(claim_of, candidates)
    errors = {one.message: error for one, error in failed}
    await bad_messages.park_failed(parts.data, parts.clock, errors)
    claimed.others += len(errors)
    return claimed


@dataclass(frozen=True, slots=True)
class _Asker:
    """Which worker asks, for how many messages of how many, and how long a permit lives."""

    owner: str
    wanted: int
    most: int
    ttl: timedelta


@dataclass(frozen=True, slots=True)
class _Locked:
    messages: Sequence[Message]
    gates: Mapping[str, Gate]


async def _lock(
    connection: AsyncConnection,
    clock: Clock,
    keys: RowKeys,
    asker: _Asker,
    candidates: Sequence[str],
) -> _Locked:
    """Outbox rows first, then gates: everyone who takes both does so in this order.

    A worker whose lease ends before a permit would gets nothing: the takeover
    would lapse the permit, and whoever withdraws would not wait for it.
    """
    now = await clock.now(connection)
    if not await leases.runs(connection, asker.owner, now + asker.ttl):
        return _Locked((), {})
    messages = await due.lock(connection, keys, candidates, now, asker.most)
    return _Locked(messages, await gates.lock(connection, {m.subject for m in messages}))


@dataclass(frozen=True, slots=True)
class _Known:
    """Everything a claim decides from, read after its locks were held."""

    locked: _Locked
    facts: Mapping[tuple[str, str], policy.Facts]
    asked: Mapping[bytes, Sequence[Consent]]  # by the token of the mail that asks
    fresh: Mapping[str, FreshLink]
    addresses: Mapping[str, AddressLink]
    permitted: permits.Moments
    paces: Mapping[str, Pace]
    attempts: Mapping[str, Attempts]
    handles: Mapping[tuple[str, str], bytes]
    contents: Mapping[str, Stored]
    config: Config
    vault: Vault
    now: datetime
    shared: Shared = field(default_factory=Shared)
    stopped: Collection[str] = ()  # campaigns of which nothing goes
    unsure: Collection[str] = ()  # links to mailboxes of which nobody can tell here who left


async def _read(
    connection: AsyncConnection,
    clock: Clock,
    consents: Consents,
    config: Config,
    locked: _Locked,
    vault: Vault,
) -> _Known:
    """Read in statements of their own: the ones that locked saw the time before their wait."""
    pairs = {(message.subject, message.purpose) for message in locked.messages}
    occasions = [occasion.of(message) for message in locked.messages]
    fresh = [one.link for one in occasions if isinstance(one, ToOpen)]
    asked = [one.token_hash for one in occasions if isinstance(one, ToConfirm)]
    moves = [one.link for one in occasions if isinstance(one, ToAddress)]
    now = await clock.now(connection)
    chosen = await paces.read(connection, consents.keys, locked.gates)
    return _Known(
        locked=locked,
        facts=await facts.read(connection, consents, locked.gates, pairs, now),
        asked=await facts.asked_by(connection, consents, asked),
        fresh=await fresh_links.get(connection, consents.keys, fresh),
        addresses=await address_links.get(connection, consents.keys, moves),
        permitted=await earlier.permitted(connection, config.purposes, pairs, chosen, now),
        paces=chosen,
        attempts=await attempts.so_far(connection, [m.id for m in locked.messages]),
        handles=await links.handles(connection, consents.keys, pairs),
        contents=await outbox.contents(connection, {m.content for m in locked.messages}),
        config=config,
        vault=vault,
        now=now,
    )


def _decide(known: _Known) -> list[Decision]:
    """One after another: a message sees the permits granted before it in this claim."""
    granted = {pair: list(moments) for pair, moments in known.permitted.items()}
    decisions: list[Decision] = []
    for message in known.locked.messages:
        decision = _decide_one(known, message, granted)
        if isinstance(decision, Granted):
            pair = (message.subject, message.purpose)
            granted.setdefault(pair, []).append(Counted(message.id, known.now, spent=False))
        decisions.append((message, decision))
    return decisions


def _decide_one(known: _Known, message: Message, granted: permits.Moments) -> Granted | Change:
    if message.expires_at <= known.now:
        return Change(message.id, Status.FAILED, "message_expired")
    why = occasion.of(message)
    park = _why_to_park(known, message, why)
    if park is not None or isinstance(why, Unknown):
        return Change(message.id, Status.DEFERRED, park)
    decision = _permission(known, message, why)
    if isinstance(decision, Unneeded):
        return Change(message.id, Status.CANCELLED, "not_needed")
    if isinstance(decision, Refused):
        about = known.facts[message.subject, message.purpose]
        if decision.reason is Reason.UNPROVEN and policy.misses_wording(about):
            return Change(message.id, Status.DEFERRED, Parked.ALTERED)
        return _refusal(message, decision)
    purpose, chosen = known.config.purposes.get(message.purpose), known.paces.get(message.subject)
    cap = None if purpose is None else purpose.at_most
    later = pacing.later(message, cap, chosen, granted, known.now)
    if later is not None:
        reason, again = later
        return Change(message.id, Status.DEFERRED, reason, min(again, message.expires_at))
    return decision


def _why_to_park(known: _Known, message: Message, why: Occasion | Unknown | None) -> Parked | None:
    """What keeps a message from being decided at all; it is looked at again later.

    Refusing would be final, and sending is out of the question: an operator may
    bring the key or the sender back, and a row that somebody wrote is looked at
    by a person first.
    """
    gate = known.locked.gates.get(message.subject)
    pair = (message.subject, message.purpose)
    if not message.honest or message.content not in known.contents:
        return Parked.ALTERED
    if not known.attempts.get(message.id, Attempts()).allow(message):
        return Parked.ATTEMPTS
    if (park := _not_of_ours(known, message, why)) is not None:
        return park
    if gate is None or not gate.live:
        return None
    if not gates.usable(gate, known.vault, *_SENDING) or message.regarding in known.unsure:
        # Its key was not there before the lock; a later claim fetches it.
        return Parked.KEY_MISSING
    if message.kind is Kind.MARKETING and pair not in known.handles and known.facts[pair].consents:
        # A mail that nobody can leave by must not go out.
        return Parked.HANDLE_MISSING
    return None


def _not_of_ours(known: _Known, message: Message, why: Occasion | Unknown | None) -> Parked | None:
    """What in an honest row this process can make no mail of."""
    if isinstance(why, Unknown):
        # While an upgrade rolls, a process of the later release knows it, and claims it then.
        return Parked.OCCASION_UNKNOWN
    if message.sender not in known.config.senders:
        return Parked.SENDER_UNKNOWN
    if message.campaign in known.stopped:
        return Parked.ALTERED  # it stood still with its campaign until somebody wrote here
    return known.shared.flaw(message, known.contents[message.content], known.vault)


def _permission(
    known: _Known, message: Message, why: Occasion | None
) -> Granted | Refused | Unneeded:
    about = known.facts[message.subject, message.purpose]
    if message.kind is Kind.MARKETING and why is not None:
        return Refused(Reason.UNPROVEN)  # we write no such row
    match why:
        case ToOpen() | ToAddress() | ToKeep():
            return _for_no_purpose(known, message, about, why)
        case _ if message.purpose not in known.config.purposes:
            return Refused(Reason.PURPOSE_UNKNOWN)
        case ToConfirm(token_hash, anew):
            wanted = re_permission.wanted if anew else policy.confirmation_wanted
            asked = known.asked.get(token_hash, ())
            return wanted(about, asked, known.now, queued_at=message.created_at)
        case ToTell(left):
            return acknowledging.wanted(about, left, known.now, queued_at=message.created_at)
        case None:
            # Accepted for one sender it goes out as that one, whoever has the purpose now.
            if about.sender != message.sender:
                about = replace(about, sender=message.sender)
            return policy.decide(about, known.now)
        case _:
            assert_never(why)


def _for_no_purpose(
    known: _Known, message: Message, about: policy.Facts, why: ToOpen | ToAddress | ToKeep
) -> Granted | Refused | Unneeded:
    """What is for no purpose of the configuration's."""
    match why:
        case ToOpen(link):
            return policy.fresh_link_wanted(about, known.fresh.get(link), known.now)
        case ToAddress(link):
            return moving.mail_wanted(about, known.addresses.get(link), known.now)
        case ToKeep(event):
            keeper, gate = known.config.checkpoints_to, known.locked.gates.get(message.subject)
            return kept_outside.wanted(about, gate, known.vault, keeper, event)


def _refusal(message: Message, refused: Refused) -> Change:
    """A service mail that is not needed any more is nobody's refusal."""
    if message.kind is Kind.SERVICE:
        return Change(message.id, Status.CANCELLED, refused.reason)
    return Change(message.id, Status.REFUSED, refused.reason)


async def _write(
    connection: AsyncConnection,
    audit_log: Log,
    asker: _Asker,
    known: _Known,
    decisions: Sequence[Decision],
) -> list[Parcel[Letter]]:
    eid = secrets.token_bytes(16)
    issued = [
        (message, grounds.permit(message, decision, eid, asker.owner, known.now, asker.ttl))
        for message, decision in decisions
        if isinstance(decision, Granted)
    ]
    changes = await bad_messages.put_off(connection, decisions, known.now)
    await outbox.lease(connection, [message.id for message, _ in issued], asker.owner, known.now)
    await permits.grant(connection, [permit for _, permit in issued])
    await changing.change(connection, changes, known.now)
    items = _items(issued, decisions, known)
    if items:
        trail = Trail(audit_log, known.vault, known.locked.gates)
        trail.record_batch(EventKind.PERMIT_BATCH, known.now, items, eid)
        await trail.stage(connection)
    return [
        Parcel(
            message=message.id,
            attempt=permit.attempt,
            permit=permit.id,
            subject=message.subject,
            kind=message.kind,
            letter=_letter(known, message),
        )
        for message, permit in issued
    ]


def _letter(known: _Known, message: Message) -> Letter:
    return Letter(
        Sealed(
            message=message,
            dated_at=message.dated_at or known.now,
            gate=known.locked.gates[message.subject],
            content=known.contents[message.content],
            handle=known.handles.get((message.subject, message.purpose)),
            vault=known.vault.only(message.subject),
            keys=known.shared.of(message),
            to=known.addresses.get(message.regarding or ""),
        )
    )


def _items(
    issued: Sequence[tuple[Message, Permit]], decisions: Sequence[Decision], known: _Known
) -> list[Item]:
    """What the log says of each decided message; a message that only waits is not decided."""
    granted = [grounds.item(message, permit) for message, permit in issued]
    ended = [
        ends.item(message, decision.reason, named=_can_be_named(known, message.subject))
        for message, decision in decisions
        if isinstance(decision, Change) and decision.status is not Status.DEFERRED
    ]
    return granted + ended


def _can_be_named(known: _Known, subject: str) -> bool:
    return gates.usable(known.locked.gates.get(subject), known.vault, Compartment.EVIDENCE)
