"""Somebody is to be forgotten: commit, wait until nothing for them can start, then answer.

From the commit on nobody mails the person or finds them by their address. The keys
and the rows follow at once; what a crash or a store that is away leaves undone a
duty does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor
from consent import address, deadlines, erasures, gates, suppressions
from consent import retention as consent_rules
from consent.consents import Consent, Consents
from consent.erasures import Erasure, Stage
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.marks import Left
from consent.model import SubjectState
from consent.retention import Periods
from consent.suppressions import ASKING_BLOCK, Stop, Suppression
from consent.trail import Trail
from delivery import permits
from delivery.permits import Open
from gateway.config.config import Suppress
from gateway.flows.leaving import ending, hidden, withdraw
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.rights import erasing
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending import permission
from gateway.flows.sending.permission import Question
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.ids import random_id

log = structlog.get_logger()

_CHANNEL = "erasure"  # in the evidence of the consents that end with it


@dataclass(frozen=True, slots=True)
class Request:
    """Who is to be forgotten, and how we learned of it."""

    question: Question = field(repr=False)
    actor: Actor
    channel: str
    received_at: datetime | None = None  # by whoever passed it on; none: now


@dataclass(frozen=True, slots=True)
class _Begun:
    """What the first step wrote, and the permits that it has to wait for."""

    erasure: Erasure | None  # none: nobody is known by that name
    still_open: Open = field(default_factory=dict)
    held_back: bool = False  # a permit is not there to be waited for


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would stay of somebody who is erased now."""

    locked_until: datetime | None  # none: nothing
    objected: bool


async def foresee(
    data: Database, clock: Clock, consents: Consents, periods: Periods, subject: str
) -> Foreseen | None:
    """Say so before it is asked for; None for who is no longer live. Changes nothing."""
    async with data.snapshot() as connection:
        gate = (await gates.peek(connection, [subject])).get(subject)
        if gate is None or not gate.live:
            return None
        now = await clock.now(connection)
        stored = (await consents.of_subjects(connection, [subject])).get(subject, [])
    until = consent_rules.foreseen_lock(erasing.person_of(gate), stored, periods, now)
    return Foreseen(until, gate.objected_at is not None)


class Erasures:
    """Takes requests to be forgotten, from wherever they come."""

    def __init__(self, erasing: Erasing) -> None:
        self._erasing = erasing
        self._parts = erasing.parts

    async def erase(self, request: Request) -> Erasure | None:
        """Forget a person; None where nobody is known. Returned when no mail to them can start.

        An address that is nobody's has left all the same: what was asked for in its
        name and waits comes to nothing. Repeating is safe: by the id of the person it
        answers with what there is; by the address nobody is found any more.
        """
        while (begun := await self._begin(request)) is None:
            pass  # somebody signed up between the look and the lock
        # No connection is held here: whoever waits must not keep others from the database.
        if begun.held_back:
            raise StorageAway("data")
        await self._parts.permit_wait.until_over(begun.still_open)
        return None if begun.erasure is None else await self._finished(begun.erasure)

    async def _finished(self, begun: Erasure) -> Erasure:
        """Go on with the steps that nobody has to wait for; where they cannot, a duty will."""
        parts = self._parts
        try:
            await self._erasing.finish([begun.subject])
            async with parts.data.read() as connection:
                return await erasures.get(connection, parts.rows, begun.id) or begun
        except StorageAway as error:
            log.warning("erasure.waits", store=error.store)
            return begun

    async def _begin(self, request: Request) -> _Begun | None:
        """First step; None, nothing written, where nobody's address became somebody's meanwhile."""
        parts, question = self._parts, request.question
        async with parts.data.read() as connection:
            (found,) = await permission.find_subjects(connection, parts.lookup, [question])
        # Whoever wrote whose the address is might have somebody else erased.
        doubted = found is not None and not found.honest
        subject = None if found is None or doubted else found.subject
        subjects = set() if subject is None else {subject}
        # Before anything is locked: the key store may be slow, and who holds gates holds up mail.
        vault = await parts.keystore.vault(subjects)
        async with parts.data.begin() as connection:
            stranger = question.email if found is None else None
            if stranger is not None and await withdraw.have_appeared(
                connection, parts.lookup, [stranger]
            ):
                return None
            held = await gates.lock(connection, subjects)
            now = await parts.clock.now(connection)
            gate = held.get(subject or "")
            mailboxes = [withdraw.mailbox_of(one, vault) for one in held.values()]
            known = [address.parse(one) for one in mailboxes if one is not None]
            # Also what was said: whoever writes rows may have altered what people are found by.
            named = known if question.email is None else [*known, question.email]
            hashes = [index for one in named for index in parts.lookup.hashes(one.canonical)]
            await parts.marks.add(connection, [Left(index, None) for index in hashes], now)
            if gate is not None and not gate.gone(parts.rows):
                return await self._of(connection, request, gate, vault, now)
            before = await erasures.of_subjects(connection, parts.rows, subjects)
            (open_,) = await permits.open_of(connection, [(subject, None)], now)
            # Their row is away for a moment, or nobody can tell whose the address is. Of an id
            # that is nobody's there is no key; without one there would be nobody to mail either.
            keyless = subject is not None and not any(
                vault.has(subject, one) for one in Compartment
            )
            lost = gate is None and found is not None and subject not in before and not keyless
            ttl, macs = parts.config.delivery.permit_ttl, parts.log.macs
            # Of who is erased we deleted the permits ourselves, once they had been waited for.
            going = {one for one, gate in held.items() if gate.state is SubjectState.ERASING}
            away = await hidden.holders(connection, macs, vault, going, now, ttl)
        return _Begun(before.get(subject or ""), open_, held_back=lost or bool(away))

    async def _of(
        self, connection: AsyncConnection, request: Request, gate: Gate, vault: Vault, now: datetime
    ) -> _Begun:
        """Of somebody who is here, and whose gate is held."""
        parts, subject = self._parts, gate.subject
        # Facts are read in statements after the lock.
        stored = (await parts.consents.of_subjects(connection, [subject])).get(subject, [])
        trail = Trail(parts.log, vault, {subject: gate})
        leaving = Withdrawal(None, request.actor, _CHANNEL)
        ended = {one.id: ending.take_back(one, leaving, trail, now) for one in stored}
        consents = [ended[one.id] or one for one in stored]
        await parts.consents.write(connection, [one for one in ended.values() if one is not None])
        new = _new(request, gate, consents, self._erasing.periods, now)
        await self._suppress(connection, gate, vault, now)
        (still_open,) = await permits.open_of(connection, [(subject, None)], now)
        ttl, macs = parts.config.delivery.permit_ttl, parts.log.macs
        held_back = await hidden.holders(connection, macs, vault, {subject}, now, ttl)
        await trail.stage(connection)
        people, asked = [gate], {subject: new}
        await erasing.begin(
            parts.log, connection, parts.rows, parts.lookup, parts.marks, people, now, asked=asked
        )
        return _Begun(new, still_open, held_back=bool(held_back))

    async def _suppress(
        self, connection: AsyncConnection, gate: Gate, vault: Vault, now: datetime
    ) -> None:
        """Keep or forget that the mailbox is not to be asked, as the configuration has it."""
        mailbox = withdraw.mailbox_of(gate, vault)
        if mailbox is None:
            return
        policy = self._parts.config.rights.suppress_after_erasure
        email, keys = address.parse(mailbox), self._parts.keyring.suppression
        if policy is Suppress.NONE:
            await suppressions.lift(connection, keys, email)
        elif policy is Suppress.ALWAYS or gate.objected_at is not None:
            digest = suppressions.mailbox_hash(keys.secret, email)
            block = Suppression(digest, Stop.ASKING, now + ASKING_BLOCK, kid=keys.kid)
            await suppressions.add(connection, [block], now)


def _new(
    request: Request, gate: Gate, consents: Sequence[Consent], periods: Periods, now: datetime
) -> Erasure:
    # A date ahead of now would put off the day by which it must be done.
    received_at = min(request.received_at or now, now)
    person = erasing.person_of(gate)
    return Erasure(
        id=random_id("era"),
        subject=gate.subject,
        state=Stage.ERASING,
        channel=request.channel,
        received_at=received_at,
        asked_at=now,
        due_at=deadlines.month_after(received_at),
        locked_until=consent_rules.locked_until(person, consents, periods, now),
        eid=b"",  # known once it is begun
    )
