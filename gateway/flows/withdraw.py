"""A person leaves: commit, then wait until nothing for them can start, then answer.

Once this returned, no SMTP transaction for what was withdrawn starts on any
node. If the database is lost while it waits the withdrawal stands, the answer
is 503, and repeating it is safe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Opener
from audit.kinds import Actor, Kind
from consent import address, blind, gates, links, policy, suppressions
from consent.consents import Consent
from consent.gates import Gate
from consent.links import Route
from consent.model import State, SubjectState
from consent.suppressions import ASKING_BLOCK, Stop, Suppression
from consent.trail import Trail
from delivery import permits
from gateway.flows import permission
from gateway.flows.permission import Question
from gateway.parts import Parts


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What is taken back, and how we learned of it."""

    purpose: str | None  # None: all of them
    actor: Actor
    channel: str
    objection: bool = False
    facts: Mapping[str, Any] | None = None  # goes into the sealed evidence

    def concerns(self, consent: Consent) -> bool:
        return self.purpose is None or consent.purpose == self.purpose


async def by_link(parts: Parts, token: str, channel: str) -> tuple[str, str] | None:
    """Withdraw what an unsubscribe link stands for; None for a link that nobody has.

    Ends whatever consent is current then, not only the one the mail was sent under.
    """
    async with parts.data.read() as connection:
        found = await links.follow(connection, Route.UNSUBSCRIBE, token)
    if found is not None:
        subject, purpose = found
        await withdraw(parts, subject, Withdrawal(purpose, Actor.SUBJECT, channel))
    return found


async def withdraw(parts: Parts, subject: str, withdrawal: Withdrawal) -> None:
    """Take permission away and return when that is final; a repetition waits the same way."""
    vault = await parts.keystore.vault([subject])
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, [subject])
        if subject not in held:
            return
        trail = Trail(parts.log, vault, held)
        now = await _end(parts, connection, held[subject], withdrawal, trail, vault)
        purpose = None if withdrawal.objection else withdrawal.purpose
        still_open = await permits.open_permits(connection, subject, purpose, now)
        await trail.stage(connection)
    # The connection is given back: whoever waits must not keep others from the database.
    await parts.quiet.wait_for(still_open)


async def _end(
    parts: Parts,
    connection: AsyncConnection,
    gate: Gate,
    withdrawal: Withdrawal,
    trail: Trail,
    opener: Opener,
) -> datetime:
    """Write the new states; facts are read in statements after the lock."""
    found = await parts.consents.of_subjects(connection, [gate.subject])
    now = await parts.clock.now(connection)
    if gate.state is not SubjectState.LIVE:
        return now  # nothing is permitted any more, and nothing can be sealed
    current = [c for c in found.get(gate.subject, []) if withdrawal.concerns(c)]
    changed = [
        ended(consent, withdrawal, trail, now)
        for consent in current
        if policy.withdraw(consent.state) is not None
    ]
    await parts.consents.write(connection, changed)
    if withdrawal.objection:
        await _object(parts, connection, gate, withdrawal, trail, opener, now)
    return now


def ended(consent: Consent, withdrawal: Withdrawal, trail: Trail, now: datetime) -> Consent:
    """The consent after it was taken back, its event recorded."""
    state = policy.withdraw(consent.state) or consent.state
    kind = Kind.CONSENT_WITHDRAWN if state is State.WITHDRAWN else Kind.CONSENT_REJECTED
    evidence = {
        "consent": consent.id,
        "purpose": consent.purpose,
        "channel": withdrawal.channel,
        **(withdrawal.facts or {}),
    }
    eid = trail.record(
        kind,
        consent.subject,
        withdrawal.actor,
        now,
        evidence=evidence,
        refs={"text": consent.text_hash},
    )
    return replace(consent, state=state, decided_at=now, eid=eid)


async def _object(
    parts: Parts,
    connection: AsyncConnection,
    gate: Gate,
    withdrawal: Withdrawal,
    trail: Trail,
    opener: Opener,
    now: datetime,
) -> None:
    """Art. 21(2) and (3) GDPR: no direct marketing any more, whatever the consent."""
    if gate.objected_at is not None:
        return
    await gates.object_to(connection, gate.subject, now)
    await block_asking_of(parts, connection, gate, opener, now)
    evidence = {"channel": withdrawal.channel, **(withdrawal.facts or {})}
    trail.record(Kind.CONSENT_OBJECTED, gate.subject, withdrawal.actor, now, evidence=evidence)


async def block_asking_of(
    parts: Parts, connection: AsyncConnection, gate: Gate, opener: Opener, now: datetime
) -> None:
    """No confirmation mails to a person's address for a year, unless its mailbox asks.

    Those that wait in the outbox end too: a claim has no address to look up, so
    the gate says when it happened.
    """
    await gates.block_asking(connection, gate.subject, now)
    if gate.address is None:
        return
    place = gates.address_place(gate.subject)
    raw = opener.open(gate.subject, "profile", place, gate.address)
    if raw is not None:
        await block_asking(parts, connection, address.parse(raw.decode()).canonical, now)


async def block_asking(
    parts: Parts, connection: AsyncConnection, canonical: str, now: datetime
) -> None:
    """As `block_asking_of`, for an address that may be nobody's."""
    digest = blind.suppression_hash(parts.keyring.suppression, canonical)
    block = Suppression(digest, Stop.ASKING, now + ASKING_BLOCK)
    await suppressions.add(connection, [block], now)


async def by_caller(parts: Parts, question: Question, withdrawal: Withdrawal) -> None:
    """A withdrawal that came by letter, phone, reply: the caller passes it on.

    For an address that nobody has, an objection still blocks asking it.
    """
    async with parts.data.read() as connection:
        (subject,) = await permission.find_subjects(parts, connection, [question])
    if subject is not None:
        await withdraw(parts, subject, withdrawal)
    elif withdrawal.objection and question.email is not None:
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            await block_asking(parts, connection, question.email.canonical, now)
