"""Somebody is to be forgotten: commit, wait until nothing for them can start, then answer.

From the commit on nobody mails the person or finds them by their address. The keys
and the rows follow at once; what a crash or a store that is away leaves undone a
duty does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories
from audit.kinds import Actor, Kind
from audit.trail import Told
from consent import (
    deadlines,
    erasures,
    gates,
    holds,
    stops,
    taken_away,
)
from consent import retention as consent_rules
from consent.consents import Consent
from consent.deadlines import Calendar
from consent.erasures import Erasure, Stage
from consent.gates import Gate
from consent.held_evidence import ErasureHeld, HoldLifted
from consent.keys.vault import OF_PEOPLE, Vault
from consent.lookup import Found
from consent.marks import Left
from consent.model import SubjectState
from consent.retention import Periods, Person
from consent.rights import Right, RightsRequest
from consent.taken_away import TakingAway
from consent.trail import Trail
from delivery import permits
from delivery.permits import Open
from gateway.callers import idempotency
from gateway.callers.idempotency import Clash, Name, Remembered
from gateway.config import calendars
from gateway.flows.by import By, refs_of
from gateway.flows.leaving import ending, hidden, unfound, whereabouts, withdraw
from gateway.flows.leaving.asked_there import Askers
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.flows.rights import erasing, unblocking
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending import permission
from gateway.flows.sending.permission import Question
from storage.errors import PartAway, StorageAway
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
    by: By | None = None  # whoever did
    name: Name | None = None  # under which it may be repeated
    again: TakingAway | None = None  # of a restore, which says it once more


@dataclass(frozen=True, slots=True)
class _Dates:
    """What the dates of an erasure follow from."""

    person: Person
    periods: Periods
    calendar: Calendar
    waiting: Sequence[RightsRequest]  # what else the person asked for, and waits for

    def received_at(self, request: Request, now: datetime) -> datetime:
        # A date ahead of now would put off the day by which it must be done, and so would a later
        # one than that on which it was asked for first.
        before = [one.received_at for one in self.waiting if one.right is Right.ERASURE]
        return min(request.received_at or now, now, *before)

    def locked_until(
        self, request: Request, consents: Sequence[Consent], now: datetime
    ) -> datetime | None:
        if request.again is None:
            return consent_rules.locked_until(self.person, consents, self.periods, now)
        # What they were told holds, whatever follows from rows that a restore ended only now.
        told = request.again.locked_until
        return told if told is not None and told > now else None


@dataclass(frozen=True, slots=True)
class _Begun:
    """What the first step wrote, and the permits that it has to wait for."""

    erasure: Erasure | None  # none: nobody is known by that name
    still_open: Open = field(default_factory=dict)
    held_back: bool = False  # a permit is not there to be waited for
    taken: Sequence[TakingAway] = ()  # what the guard's store must hear of
    clash: Clash | None = None  # another request has its name

    def beside(self, still_open: Open, *, held_back: bool) -> _Begun:
        """This, with permits of others that have to be waited for as well."""
        together = permits.together([self.still_open, still_open])
        return replace(self, still_open=together, held_back=self.held_back or held_back)


class Erasures:
    """Takes requests to be forgotten, from wherever they come."""

    def __init__(self, erasing: Erasing) -> None:
        self._erasing = erasing
        self._parts = parts = erasing.parts
        self._same_mailbox = SameMailbox(parts.keyring.suppression, parts.lookup)

    async def erase(self, request: Request) -> Erasure | None:
        """Forget a person; None where nobody is known. Returned when no mail to them can start.

        An address that is nobody's has left all the same: what was asked for in its
        name and waits comes to nothing. Repeating is safe: by the id of the person it
        answers with what there is; by the address nobody is found any more. While a
        hold stands they are restricted instead; a duty carries it out.
        """
        answer = await self._erase(request)
        assert not isinstance(answer, Clash)  # noqa: S101 it has no name
        return answer

    async def erase_once(self, request: Request, name: Name) -> Erasure | Clash | None:
        """As `erase`; what was asked for under this name before is answered again, as it is now."""
        parts = self._parts
        async with parts.data.read() as connection:
            before = await idempotency.look(connection, name, await parts.clock.now(connection))
            if isinstance(before, Remembered):
                known = await erasures.get(connection, parts.rows, before.document.decode())
                if known is not None:
                    question = Question("", subject=known.subject)
                    return await self.erase(replace(request, question=question))
        if before is Clash.REUSED:
            return before
        return await self._erase(replace(request, name=name))

    async def _erase(self, request: Request) -> Erasure | Clash | None:
        askers = Askers(self._same_mailbox)
        trying = partial(self._begin, request, askers)
        while (begun := await askers.attempt(trying)) is None:
            pass  # somebody signed up, or asked for their mailbox, between the look and the lock
        if begun.clash is not None:
            return begun.clash
        # No connection is held here: whoever waits must not keep others from the database.
        await self._parts.takings.tell(begun.taken)
        if begun.held_back:
            raise PartAway("data")
        await self._parts.permit_wait.until_over(begun.still_open)
        if begun.erasure is None or begun.erasure.state is Stage.HELD:
            return begun.erasure
        return await self._finished(begun.erasure, begun.taken)

    async def _finished(self, begun: Erasure, taken: Sequence[TakingAway]) -> Erasure:
        """Go on with the steps that nobody has to wait for; where they cannot, a duty will."""
        parts = self._parts
        try:
            await self._erasing.finish([begun.subject])
            await parts.takings.settle(taken)  # it names the person
            async with parts.data.read() as connection:
                return await erasures.get(connection, parts.rows, begun.id) or begun
        except StorageAway as error:
            log.warning("erasure.waits", store=error.store)
            return begun

    async def _begin(self, request: Request, askers: Askers) -> _Begun | None:
        """First step; None, nothing written, where nobody's address became somebody's meanwhile."""
        parts, question = self._parts, request.question
        async with parts.data.read() as connection:
            (found,) = await permission.find_subjects(connection, parts.lookup, [question])
        # Whoever wrote whose the address is might have somebody else erased.
        doubted = found is not None and not found.honest
        subject = None if found is None or doubted else found.subject
        subjects = set() if subject is None else {subject}
        strangers = [question.email] if found is None and question.email is not None else []
        stores = (parts.data, parts.keystore, parts.lookup, parts.rows)
        await unfound.require_none(*stores, parts.keyring.suppression, strangers)
        # Before anything is locked: the key store may be slow, and who holds gates holds up mail.
        vault = await parts.keystore.vault(subjects | askers.subjects)
        async with parts.data.begin() as connection:
            if await withdraw.have_appeared(connection, parts.lookup, strangers):
                return None
            now = await parts.clock.now(connection)
            taken_name = await idempotency.take_new(connection, request.name, now)
            if isinstance(taken_name, Clash):
                return _Begun(None, clash=taken_name)
            together = await gates.lock(connection, subjects | askers.subjects)
            now = await parts.clock.now(connection)
            gate = together.get(subject or "")
            _require_theirs(question, gate, vault)
            named = whereabouts.addresses(gate, question.email, vault)
            await askers.require_all(connection, subjects, named, now)
            hashes = [index for one in named for index in parts.lookup.hashes(one.canonical)]
            await parts.marks.add(connection, [Left(index, None) for index in hashes], now)
            if gate is not None and not gate.gone(parts.rows):
                begun = await self._of(connection, request, gate, vault, now)
                remembered = begun.erasure
            else:
                begun = await self._of_nobody(connection, found, gate, vault, now)
                remembered = None
            await idempotency.end(
                connection, taken_name, None if remembered is None else remembered.id
            )
            ttl, macs = parts.config.delivery.permit_ttl, parts.log.macs
            away = await hidden.holders(connection, macs, vault, askers.subjects, now, ttl)
            elsewhere = await askers.open_permits(connection, now)
        return begun.beside(elsewhere, held_back=bool(away))

    async def _of_nobody(
        self,
        connection: AsyncConnection,
        found: Found | None,
        gate: Gate | None,
        vault: Vault,
        now: datetime,
    ) -> _Begun:
        """Of nobody, or of somebody who is being erased or is away for a moment."""
        parts = self._parts
        subject = None if found is None or not found.honest else found.subject
        subjects = set() if subject is None else {subject}
        before = await erasures.of_subjects(connection, parts.rows, subjects)
        (open_,) = await permits.open_of(connection, [(subject, None)], now)
        # Their row is away for a moment, or nobody can tell whose the address is. Of an id
        # that is nobody's there is no key; without one there would be nobody to mail either.
        keyless = subject is not None and not any(vault.has(subject, one) for one in OF_PEOPLE)
        lost = gate is None and found is not None and subject not in before and not keyless
        ttl, macs = parts.config.delivery.permit_ttl, parts.log.macs
        # Of who is erased we deleted the permits ourselves, once they had been waited for.
        going = subjects if gate is not None and gate.state is SubjectState.ERASING else set()
        away = await hidden.holders(connection, macs, vault, going, now, ttl)
        taken = await taken_away.due_of(connection, parts.rows, subjects)
        return _Begun(before.get(subject or ""), open_, lost or bool(away), taken)

    async def _of(
        self, connection: AsyncConnection, request: Request, gate: Gate, vault: Vault, now: datetime
    ) -> _Begun:
        """Of somebody who is here, and whose gate is held."""
        parts, subject = self._parts, gate.subject
        # Facts are read in statements after the lock.
        asked = (await erasures.of_subjects(connection, parts.rows, [subject])).get(subject)
        waiting = asked if asked is not None and asked.state is Stage.HELD else None
        told = await histories.of_people(connection, parts.log.macs, [subject], vault)
        if await holds.held_back(connection, parts.rows, parts.log.macs, told, now):
            dates = await self._dates(connection, gate, told[subject])
            return await self._hold(connection, request, gate, vault, now, waiting, dates)
        trail = Trail(parts.log, vault, {subject: gate}, parts.rows)
        await self._end_holds(connection, trail, told, now)
        consents = await self._take_back(connection, subject, request, trail, now)
        dates = await self._dates(connection, gate, told[subject])
        new = _new(request, gate, consents, dates, now, waiting)
        objected = dates.person.objected_at is not None
        blocking = unblocking.Blocking(self._same_mailbox, gate, vault, told[subject], now)
        policy = parts.config.rights.suppress_after_erasure
        await blocking.as_they_are_erased(connection, policy, objected=objected)
        (still_open,) = await permits.open_of(connection, [(subject, None)], now)
        ttl, macs = parts.config.delivery.permit_ttl, parts.log.macs
        held_back = await hidden.holders(connection, macs, vault, {subject}, now, ttl)
        await trail.stage(connection)
        log, keys, people = parts.log, parts.rows, [gate]
        by, altered = {subject: new}, sum(not one.honest for one in consents)
        lookup, marks, passed_on = parts.lookup, parts.marks, refs_of(request.by)
        await erasing.begin(
            log,
            connection,
            keys,
            lookup,
            marks,
            people,
            now,
            asked=by,
            altered=altered,
            by=passed_on,
        )
        taken = await taken_away.due_of(connection, parts.rows, [subject])
        return _Begun(new, still_open, bool(held_back), taken)

    async def _take_back(
        self,
        connection: AsyncConnection,
        subject: str,
        request: Request,
        trail: Trail,
        now: datetime,
    ) -> list[Consent]:
        """End every consent of theirs; returns them all as they are then."""
        leaving = Withdrawal(None, request.actor, _CHANNEL, by=request.by)
        consents = self._parts.consents
        stored = (await consents.of_subjects(connection, [subject])).get(subject, [])
        ended = {one.id: ending.take_back(one, leaving, trail, now) for one in stored}
        await consents.write(connection, [one for one in ended.values() if one is not None])
        return [ended[one.id] or one for one in stored]

    async def _hold(
        self,
        connection: AsyncConnection,
        request: Request,
        gate: Gate,
        vault: Vault,
        now: datetime,
        waiting: Erasure | None,
        dates: _Dates,
    ) -> _Begun:
        """Restrict somebody whose proof is needed, and keep that they asked: once."""
        parts, subject = self._parts, gate.subject
        trail = Trail(parts.log, vault, {subject: gate}, parts.rows)
        # The restriction stands in one row, which somebody may put back; these are told one by one.
        await self._take_back(connection, subject, request, trail, now)
        if waiting is None:
            new = _new(request, gate, (), dates, now)
            kind, said = Kind.SUBJECT_ERASURE_HELD, ErasureHeld(new.id)
            refs = {"erasure": new.id, **refs_of(request.by)}
            eid = trail.record_leaving(kind, subject, request.actor, now, evidence=said, refs=refs)
            waiting = erasures.waiting(new, eid)
            await erasures.add(connection, parts.rows, waiting)
        await stops.restrict(connection, parts.rows, gate, gate.restricted_at or now)
        (still_open,) = await permits.open_of(connection, [(subject, None)], now)
        ttl, macs = parts.config.delivery.permit_ttl, parts.log.macs
        held_back = await hidden.holders(connection, macs, vault, {subject}, now, ttl)
        await trail.stage(connection)
        taken = await taken_away.due_of(connection, parts.rows, [subject])
        return _Begun(waiting, still_open, bool(held_back), taken)

    async def _dates(self, connection: AsyncConnection, gate: Gate, told: Sequence[Told]) -> _Dates:
        rows, calendar = self._parts.rows, calendars.of(self._parts.config.rights)
        asked = await erasing.waiting_of(self._parts.log, connection, rows, [gate.subject])
        person = erasing.person_of(gate, rows, told)
        return _Dates(person, self._erasing.periods, calendar, asked)

    async def _end_holds(
        self,
        connection: AsyncConnection,
        trail: Trail,
        told: Mapping[str, Sequence[Told]],
        now: datetime,
    ) -> None:
        """Those that are past their date, and go with the person."""
        over = await holds.of_subjects(connection, self._parts.rows, told)
        lifted = {name for events in told.values() for name in holds.lifted_by(events)}
        for one in over:
            if one.id not in lifted:
                kind, said = Kind.HOLD_LIFTED, HoldLifted(one.id)
                trail.record_leaving(
                    kind, one.subject, Actor.SYSTEM, now, evidence=said, refs={"hold": one.id}
                )
        await holds.remove(connection, [one.id for one in over])


def _require_theirs(question: Question, gate: Gate | None, vault: Vault) -> None:
    """Raise `StorageAway` where an address leads to somebody who is mailed at another one."""
    email = question.email
    if email is not None and gate is not None and not whereabouts.may_be_at(gate, vault, email):
        log.error("address_elsewhere")
        raise StorageAway("data")


def _new(
    request: Request,
    gate: Gate,
    consents: Sequence[Consent],
    dates: _Dates,
    now: datetime,
    waiting: Erasure | None = None,
) -> Erasure:
    locked_until, again = dates.locked_until(request, consents, now), request.again
    if waiting is not None:  # what was asked for while a hold stood
        return erasures.carried_out(waiting, locked_until)
    received_at = dates.received_at(request, now)
    return Erasure(
        # Under its first name and moment: its person has a link to the certificate.
        id=(again and again.erasure) or random_id("era"),
        subject=gate.subject,
        state=Stage.ERASING,
        channel=request.channel,
        received_at=received_at,
        asked_at=now if again is None else again.at,
        due_at=deadlines.due(received_at, dates.calendar),
        locked_until=locked_until,
        eid=b"",  # known once it is begun
    )
