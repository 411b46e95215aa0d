"""A fresh link to the mailbox on file: asked for by anybody, sent only to who is known there.

Whoever asks is answered before the address is looked at. The link goes only to
the mailbox itself, and seldom enough that nobody can flood it with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import (
    fresh_links,
    gates,
    intakes,
    policy,
    service_mails,
    tokens,
)
from consent.address import Address
from consent.consents import Consent
from consent.fresh_links import LINK_LIFE, FreshLink
from consent.gates import Gate
from consent.intakes import Intake, IntakeKind, Under
from consent.keys.vault import Compartment, Vault
from consent.lookup import LookUp
from consent.marks import Marks
from consent.service_mails import Kind, ServiceMail
from delivery import outbox
from delivery.outbox import NewMessage
from delivery.outcome import Kind as MailKind
from gateway.config.config import Config
from gateway.door import Visit
from gateway.flows.bad_rows import Busy, each_for_itself
from gateway.flows.leaving import whereabouts
from gateway.flows.opening import opened
from gateway.flows.rights.link_limits import LinkLimits
from gateway.flows.sending.content import OurMail, new_message
from gateway.flows.sending.occasion import ToOpen
from gateway.limits import Wait
from gateway.parts import Parts
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.ids import ordered_id
from storage.locks import try_alone
from storage.secret import Secret
from storage.turns import in_turns

# No purpose can be called so: a name in the configuration has no dot.
PURPOSE = "service.my-data"
AT_ONCE = 200
_FORM = "my-data"


async def accept(
    parts: Parts,
    email: Address,
    network: str | None,
    kind: IntakeKind = IntakeKind.FRESH_LINK,
) -> Wait | None:
    """Keep a request for a fresh link; None once it is kept, else how long to wait.

    Only limits of network and form are told, and the work does not depend on
    whether the address is known.
    """
    parts.lookup.require()
    visit = Visit(_FORM, network)
    weekly = [secret for _, secret in await parts.keystore.limit_keys(parts.clock.wall())]
    (wait,) = parts.door.waiting(weekly[0], [visit])
    return await _keep(parts, weekly, email, visit, kind) if wait is None else wait


async def _keep(
    parts: Parts, weekly: Sequence[Secret], email: Address, visit: Visit, kind: IntakeKind
) -> Wait | None:
    intake_key = await parts.keystore.intake_key(parts.clock.wall())
    under = Under(*intake_key, *parts.lookup.newest)
    async with parts.data.begin() as connection:
        held = await parts.door.hold(connection, weekly, [visit])
        now = await parts.clock.now(connection)
        (wait,) = await held.count(connection, now)
        if wait is None:
            await intakes.add(connection, [intakes.seal_fresh_link(email, under, now, kind)])
            parts.keystore.require_in_time(under.key_id)
    return wait


async def work_off(parts: Parts) -> int:
    """Send the links that were asked for, to known people only; returns how many were decided.

    Silent about everything: a stranger, a limit, a mailbox that does not exist.
    """
    async with parts.data.read() as connection:
        now = await parts.clock.now(connection)
        waiting = await intakes.oldest(connection, AT_ONCE, now, IntakeKind.FRESH_LINK)
    rows = {intake.id: intake for intake in waiting}
    decide = partial(_decide, parts)
    return sum(await each_for_itself(parts.data, parts.clock, intakes.NAME, rows, decide))


async def _decide(parts: Parts, waiting: Sequence[Intake]) -> int:
    asked = await opened(parts.keystore, waiting, intakes.open_fresh_links)
    async with parts.data.read() as connection:
        found = await parts.lookup.find(connection, {one.canonical for one in asked.values()})
    # What is kept of somebody goes only where a gateway wrote that the address is theirs.
    known = {address: one.subject for address, one in found.items() if one.honest}
    vault = await parts.keystore.vault(known.values())
    keys = parts.keyring.suppression
    async with parts.data.begin() as connection:
        if not await try_alone(connection, "my-data"):
            raise Busy
        there = await intakes.lock(connection, [intake.id for intake in waiting])
        waiting = [intake for intake in waiting if intake.id in there]
        held = await gates.lock(connection, known.values())
        now = await parts.clock.now(connection)
        asked = await standing(connection, parts.marks, parts.lookup, waiting, asked, now)
        consents = await parts.consents.of_subjects(connection, held)
        limits = await LinkLimits.read(connection, keys, set(asked.values()), now)
        due: list[_Due] = []
        async for intake in in_turns(waiting):
            if intake.id not in asked:
                continue
            email = asked[intake.id]
            gate = held.get(known.get(email.canonical, ""))
            if not gates.usable(gate, vault, Compartment.PROFILE):
                continue
            if not whereabouts.may_be_at(gate, vault, email):
                continue  # counted as that of before, it would be sent to the one of now
            theirs = consents.get(gate.subject, [])
            if limits.allow(email, theirs):
                stop, row = service_mails.new(keys, Kind.FRESH_LINK, gate.subject, email)
                due.append(_Due(gate, theirs, stop, row))
        await _send(connection, parts.consents.keys, parts.config, due, vault, now)
        await intakes.remove(connection, [intake.id for intake in waiting])
    return len(waiting)


async def standing(
    connection: AsyncConnection,
    marks: Marks,
    lookup: LookUp,
    waiting: Sequence[Intake],
    asked: Mapping[str, Address],
    now: datetime,
) -> Mapping[str, Address]:
    """Those that nobody for whose address they are left since, from all mails or for good.

    Hold the gates of who is found by these addresses: who leaves marks theirs under it.
    """
    held = lookup.held()
    indexes = {id: lookup.hashes(email.canonical) for id, email in asked.items()}
    marked = await marks.read(connection, {one for group in indexes.values() for one in group})
    # Who left while we waited for their gate may be marked by a key that came meanwhile.
    await lookup.require_still(connection, held)
    return {
        one.id: asked[one.id]
        for one in waiting
        if one.id in asked and not marked.bars(indexes[one.id], None, one.sealed_at, now)
    }


@dataclass(frozen=True, slots=True)
class _Due:
    """Whom a link goes to, and how the mailbox stops such mails."""

    gate: Gate
    consents: Sequence[Consent]
    stop: str = field(repr=False)  # the token
    row: ServiceMail = field(repr=False)


async def _send(
    connection: AsyncConnection,
    keys: RowKeys,
    config: Config,
    due: Sequence[_Due],
    vault: Vault,
    now: datetime,
) -> None:
    written = [_mail(config, one, vault, now) async for one in in_turns(due)]
    await service_mails.add(connection, [one.row for one in due], now)
    await fresh_links.add(connection, keys, [link for link, _ in written])
    await outbox.enqueue(connection, keys, [message for _, message in written], now)


def _mail(config: Config, due: _Due, vault: Vault, now: datetime) -> tuple[FreshLink, NewMessage]:
    """A new link and the mail that carries it; no word in it comes from whoever asked."""
    token, token_hash = tokens.new_link_token()
    subject, base = due.gate.subject, config.server.public_url
    link = FreshLink(ordered_id("lnk", now), token_hash, subject, now, now + LINK_LIFE)
    sender = sender_for(config, due.consents)
    links = {"my_data": f"{base}/my-data/{token}", "stop": f"{base}/stop/{due.stop}"}
    message = new_message(
        OurMail("my_data", links=links),
        vault,
        now,
        kind=MailKind.SERVICE,
        subject=subject,
        purpose=PURPOSE,
        sender=sender,
        id_domain=config.senders[sender].dkim_domain,
        due_at=now,
        expires_at=link.expires_at,
        why=ToOpen(link.id),
    )
    return link, message


def sender_for(config: Config, consents: Sequence[Consent]) -> str:
    """The brand that the person dealt with last; the first one where that is no more."""
    known = [consent.purpose for consent in consents if consent.purpose in config.purposes]
    return config.purposes[known[-1]].sender if known else next(iter(config.senders))


async def look(data: Database, clock: Clock, keys: RowKeys, token: str) -> str | None:
    """Whose pages a link still opens; None where it opens nothing. Changes nothing."""
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with data.read() as connection:
        found = await fresh_links.find(connection, keys, digest)
        usable = found is not None and policy.usable(found, await clock.now(connection))
    return found.subject if found is not None and usable else None
