"""A caller looks a person up: told in the person's trail before it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import gates, policy
from consent.address import Address
from consent.consents import Consent
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.model import State, SubjectState
from consent.subject_evidence import Accessed
from consent.trail import Trail
from gateway.flows.leaving import whereabouts
from gateway.parts import Parts
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway


@dataclass(frozen=True, slots=True)
class Look:
    """Whom a caller looks for, or an operator at the desk, and why."""

    email: Address = field(repr=False)
    why: str = field(repr=False)
    caller: str  # the id of an API key, or of an operator
    actor: Actor = Actor.API
    name: str | None = None  # of the operator, for the person

    @property
    def refs(self) -> Mapping[str, str]:
        return _by(self.caller, self.actor)


@dataclass(frozen=True, slots=True)
class Seen:
    """One consent as it stands: dates count, whether or not the duty has come by."""

    consent: Consent
    state: State
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Person:
    """Who was found, and what they agreed to or were asked for, oldest first."""

    subject: str
    state: SubjectState
    consents: Sequence[Seen]


@dataclass(frozen=True, slots=True)
class Looking:
    """Looks people up by their address."""

    parts: Parts

    async def up(self, look: Look) -> Person | None:
        """Whose the address is; None where it is nobody's who is here. The log holds the look.

        Of who is found it stands in their own trail, with the reason; of nobody it
        names the caller alone, for there is no key to seal a reason under.
        """
        parts = self.parts
        async with parts.data.read() as connection:
            subject = await self._subject(connection, look.email)
        subjects = set() if subject is None else {subject}
        vault = await parts.keystore.vault(subjects)
        async with parts.data.begin() as connection:
            held = await gates.lock(connection, subjects)
            # Again, under the gate: whose address it was may have been forgotten meanwhile.
            here = subject is not None and await self._subject(connection, look.email) == subject
            now = await parts.clock.now(connection)
            gate = held.get(subject or "") if here else None
            if gate is None or not gate.live or not whereabouts.may_be_at(gate, vault, look.email):
                await _nobody(connection, parts.log, look.actor, look.refs, now)
                return None
            seen = await self._seen(connection, gate.subject, now)
            await self._told(connection, look, gate, vault, now)
        return Person(gate.subject, gate.state, seen)

    async def _subject(self, connection: AsyncConnection, email: Address) -> str | None:
        found = (await self.parts.lookup.find(connection, [email.canonical])).get(email.canonical)
        # Whoever wrote whose the address is might have somebody else's consents shown.
        return found.subject if found is not None and found.honest else None

    async def _seen(
        self, connection: AsyncConnection, subject: str, now: datetime
    ) -> Sequence[Seen]:
        found = await self.parts.consents.as_of(connection, [subject], now)
        return [_as_it_stands(one, now) for one in found.get(subject, [])]

    async def _told(
        self, connection: AsyncConnection, look: Look, gate: Gate, vault: Vault, now: datetime
    ) -> None:
        if not gates.usable(gate, vault, Compartment.EVIDENCE):
            raise StorageAway("key store")  # nobody looks where the log cannot tell of it
        trail = Trail(self.parts.log, vault, {gate.subject: gate})
        at_desk = look.actor is Actor.OPERATOR
        by = {"operator": look.name} if at_desk else {"caller": look.caller}
        said, kind = Accessed(look.why, **by), Kind.SUBJECT_ACCESSED
        trail.record(kind, gate.subject, look.actor, now, evidence=said, refs=look.refs)
        await trail.stage(connection)


async def in_vain(
    data: Database,
    log: Log,
    clock: Clock,
    caller: str,
    actor: Actor = Actor.API,
) -> None:
    """Tell that a caller, or an operator at the desk, asked for somebody who is not here.

    Else who tries addresses, by whatever endpoint, would not be seen.
    """
    async with data.begin() as connection:
        await _nobody(connection, log, actor, _by(caller, actor), await clock.now(connection))


def _by(caller: str, actor: Actor) -> dict[str, str]:
    return {"operator" if actor is Actor.OPERATOR else "api_key": caller}


async def _nobody(
    connection: AsyncConnection, log: Log, actor: Actor, refs: Mapping[str, str], now: datetime
) -> None:
    event = Event(Kind.SUBJECT_ACCESSED, actor, now, refs=refs)
    await log.stage(connection, [draft(event, None, log.node)])


def _as_it_stands(consent: Consent, now: datetime) -> Seen:
    state = policy.effective_state(consent, now)
    expired = state is State.EXPIRED and consent.state is not State.EXPIRED
    return Seen(consent, state, policy.end_of(consent) if expired else consent.decided_at)
