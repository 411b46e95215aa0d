"""What a person asks for by right is written down with its due date, and so is its decision.

Nothing is done by it: whoever carries a request out does so by its own verb (an
objection by a withdrawal, an erasure by an erasure) and then says here that it is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import deadlines, erasures, gates, rights_requests
from consent.deadlines import Calendar
from consent.erasures import Erasure
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.lookup import LookUp
from consent.rights import (
    KINDS,
    Progress,
    Refusal,
    Right,
    RightsDecided,
    RightsRequest,
    RightsRequested,
    Step,
)
from consent.rights_requests import Place
from consent.subject_evidence import Accessed
from consent.trail import Trail
from gateway.callers import idempotency
from gateway.callers.idempotency import Clash, Name, Remembered
from gateway.flows.by import By
from gateway.flows.leaving import whereabouts
from gateway.flows.sending import permission
from gateway.flows.sending.permission import Question
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys
from storage.ids import ordered_id

logger = structlog.get_logger()

_TOLD: Mapping[Step, Kind] = {
    Step.ANSWER: Kind.RIGHTS_ANSWERED,
    Step.EXTEND: Kind.RIGHTS_EXTENDED,
    Step.REFUSE: Kind.RIGHTS_REFUSED,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for, and how we learned of it."""

    question: Question = field(repr=False)
    right: Right
    channel: str
    by: By
    received_at: datetime | None = None  # by whoever passed it on; none: now


@dataclass(frozen=True, slots=True)
class DuePage:
    """Some of what waits at *now*, and behind which one the next page begins."""

    requests: Sequence[RightsRequest]
    further: Place | None
    now: datetime


@dataclass(frozen=True, slots=True)
class DecidedPage:
    """Some of what is decided, and before which one the next page begins."""

    requests: Sequence[RightsRequest]
    further: str | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """One request at *now*, and whether its person was erased, or waits for that."""

    request: RightsRequest
    erasure: Erasure | None
    now: datetime


@dataclass(frozen=True, slots=True)
class RightsRequests:
    """Takes down requests and their decisions."""

    data: Database
    keystore: KeyStore
    lookup: LookUp
    rows: RowKeys
    log: Log
    clock: Clock
    calendar: Calendar

    async def record(self, asked: Asked, name: Name | None = None) -> RightsRequest | Clash | None:
        """Write a request down; None where nobody is known, or nobody any more, by that name.

        What was written down under the *name* of this call before is answered again.
        """
        async with self.data.read() as connection:
            (found,) = await permission.find_subjects(connection, self.lookup, [asked.question])
        if found is None or not found.honest:
            return None  # whose the address is nobody can tell
        vault = await self.keystore.vault([found.subject])
        async with self.data.begin() as connection:
            now = await self.clock.now(connection)
            taken = await idempotency.take_one(connection, name, now)
            if isinstance(taken, Remembered):
                return await rights_requests.get(connection, self.rows, taken.document.decode())
            if isinstance(taken, Clash):
                return taken
            held = await gates.lock(connection, [found.subject])
            now = await self.clock.now(connection)
            gate = held.get(found.subject)
            if gate is None or not gate.live or not _is_meant(asked.question, gate, vault):
                await idempotency.end(connection, taken, None)
                return None
            trail = Trail(self.log, _with_key(vault, gate), held)
            new = self._new(asked, gate, trail, now)
            await rights_requests.add(connection, self.rows, new)
            await idempotency.end(connection, taken, new.id)
            await trail.stage(connection)
        return new

    def _new(self, asked: Asked, gate: Gate, trail: Trail, now: datetime) -> RightsRequest:
        # A date ahead of now would put off the day by which it must be answered.
        received_at = min(asked.received_at or now, now)
        request, due_at = ordered_id("req", now), deadlines.due(received_at, self.calendar)
        said = RightsRequested(request, asked.right, asked.channel, received_at, due_at)
        refs, actor = _refs(request, asked.by), asked.by.actor
        kind = Kind.RIGHTS_REQUESTED
        eid = trail.record(kind, gate.subject, actor, now, evidence=said, refs=refs)
        return RightsRequest(
            id=request,
            subject=gate.subject,
            right=asked.right,
            progress=Progress.OPEN,
            channel=asked.channel,
            received_at=received_at,
            recorded_at=now,
            due_at=due_at,
            eid=eid,
        )

    async def decide(
        self, request: str, step: Step, reason: str, by: By
    ) -> RightsRequest | Refusal | None:
        """Take *step*, for *reason*; or say why it is not possible; None for no such request."""
        async with self.data.read() as connection:
            found = await rights_requests.get(connection, self.rows, request)
        if found is None:
            return None
        vault = await self.keystore.vault([found.subject])
        async with self.data.begin() as connection:
            held = await gates.lock(connection, [found.subject])
            now = await self.clock.now(connection)
            # Read again, in a statement after the lock.
            stored = await rights_requests.get(connection, self.rows, request)
            gate = held.get(found.subject)
            if stored is None or gate is None or not gate.live:
                return None if stored is None else Refusal.DECIDED
            if refusal := stored.refusal(step, now):
                return refusal
            if not await _is_last(connection, self.log, stored, gate, _with_key(vault, gate)):
                return Refusal.DECIDED  # an old row stands there; a verification names it
            trail = Trail(self.log, vault, held)
            changed = self._changed(stored, step, (reason, by), trail, vault, now)
            await rights_requests.restate(connection, self.rows, changed)
            await trail.stage(connection)
        return changed

    def _changed(
        self,
        stored: RightsRequest,
        step: Step,
        said: tuple[str, By],
        trail: Trail,
        vault: Vault,
        now: datetime,
    ) -> RightsRequest:
        due_at = self.later(stored) if step is Step.EXTEND else stored.due_at
        reason, by = said
        proof, refs = RightsDecided(stored.id, stored.right, due_at), _refs(stored.id, by)
        kind = _TOLD[step]
        eid = trail.record(kind, stored.subject, by.actor, now, evidence=proof, refs=refs)
        sealed = rights_requests.seal_reason(stored, reason, vault)
        if step is Step.EXTEND:
            return stored.extended(due_at, sealed, eid)
        progress = Progress.ANSWERED if step is Step.ANSWER else Progress.REFUSED
        return stored.decided(progress, sealed, eid, now)

    def later(self, one: RightsRequest) -> datetime:
        """By when it is due with the two further months."""
        return deadlines.due(one.received_at, self.calendar, deadlines.EXTENDED)

    async def get(self, request: str) -> RightsRequest | None:
        """The facts of one request, without its reason."""
        async with self.data.read() as connection:
            return await rights_requests.get(connection, self.rows, request)

    async def page(
        self, progress: Progress | None, after: str | None, limit: int
    ) -> tuple[list[RightsRequest], str | None]:
        """The next requests in the order in which they were recorded, and where the page ends."""
        async with self.data.read() as connection:
            return await rights_requests.page(connection, self.rows, progress, after, limit)

    async def due_page(self, after: Place | None, limit: int) -> DuePage:
        """The next that wait, in the order in which they are due."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
            found, further = await rights_requests.due_page(connection, self.rows, after, limit)
        return DuePage(found, further, now)

    async def decided_page(self, before: str | None, limit: int) -> DecidedPage:
        """The next that are decided, the last recorded first."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
            found, last = await rights_requests.decided_page(connection, self.rows, before, limit)
        return DecidedPage(found, last, now)

    async def case(self, request: str) -> Case | None:
        """One request, and the erasure of whoever asked, if there is one; without its reason."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
            found = await rights_requests.get(connection, self.rows, request)
            if found is None:
                return None
            erased = await erasures.of_subjects(connection, self.rows, [found.subject])
        return Case(found, erased.get(found.subject), now)

    async def open_reason(self, request: RightsRequest, why: str, caller: str) -> str | None:
        """The reason of its decision, once the log holds who looked, and *why*.

        Of who is being erased, or was, it stays shut: what is left of them is locked.
        """
        vault = await self.keystore.vault([request.subject])
        async with self.data.begin() as connection:
            held = await gates.lock(connection, [request.subject])
            now = await self.clock.now(connection)
            if not gates.usable(held.get(request.subject), vault, Compartment.EVIDENCE):
                return None
            trail = Trail(self.log, vault, held)
            refs, said = {"request": request.id}, Accessed(why, caller=caller)
            kind = Kind.SUBJECT_ACCESSED
            trail.record(kind, request.subject, Actor.API, now, evidence=said, refs=refs)
            await trail.stage(connection)
        return rights_requests.open_reason(request, vault)


def _is_meant(question: Question, gate: Gate, vault: Vault) -> bool:
    """Whether somebody is who was named: an address of before may still lead to them."""
    return question.email is None or whereabouts.may_be_at(gate, vault, question.email)


def _refs(request: str, by: By) -> dict[str, str]:
    return {"request": request, **by.refs}


def _with_key(vault: Vault, gate: Gate) -> Vault:
    """The vault itself; whoever is here and has no key waits until the key store is mended."""
    if not vault.has(gate.subject, Compartment.EVIDENCE):
        raise StorageAway("keys")
    return vault


async def _is_last(
    connection: AsyncConnection, log: Log, stored: RightsRequest, gate: Gate, vault: Vault
) -> bool:
    """Whether the log tells of nothing that became of it after what its row says.

    Deciding by an old row would write the event that makes it fit. Raises `StorageAway` where
    the event may be away that would tell of its decision.
    """
    subject = stored.subject
    told = (await histories.of_people(connection, log.macs, [subject], vault))[subject]
    about = [one for one in told if one.entry.refs.get("request") == stored.id]
    last = [one.eid for one in about if one.kind in KINDS][-1:]
    if last == [stored.eid] and not histories.whole_since(told, gate.place, stored.recorded_at):
        logger.error("request_not_decided")
        raise StorageAway("data")
    return last == [stored.eid]
