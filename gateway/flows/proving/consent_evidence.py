"""The proof of one consent is gathered, for whoever must show it to somebody else.

The log is told who looks, and why, before anything is handed out: in the trail of the one
it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail as audit_trail
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import gates, history, specimens, texts
from consent.consents import Consents
from consent.evidence import Proof
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.model import SubjectState
from consent.subject_evidence import Accessed, Opened
from consent.trail import Trail
from gateway.flows.proving import consent_proof, uses
from gateway.flows.proving.consent_proof import ConsentEvidence, Material
from gateway.flows.rights import erasing
from gateway.flows.rights.dossier import Aside
from storage.clock import Clock
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Opening:
    """Who looks, and why. What stays of who was erased is opened for a *case* alone."""

    actor: Actor
    why: str = field(repr=False)
    caller: str | None = None  # the id of an API key; none: the command line
    case: str | None = None  # a file number; it stands in the log for ever, and names nobody
    operator: str | None = None  # the id of who sits at the desk
    name: str | None = None  # and their name, for the person

    @property
    def refs(self) -> Mapping[str, str]:
        said = {"case": self.case, "api_key": self.caller, "operator": self.operator}
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Evidences:
    """Gathers what proves a consent, of who is here and of who was erased."""

    data: Database
    keystore: KeyStore
    consents: Consents
    log: Log
    clock: Clock
    aside: Aside

    async def of(self, consent: str, opening: Opening) -> ConsentEvidence | None:
        """The proof of this consent, once the log holds that it was opened.

        None, and nothing told, for one that is not here, or whose person nobody may look at: who
        is being erased, and who was, unless it is for a case and their evidence is still locked.
        """
        async with self.data.read() as connection:
            found = (await self.consents.get(connection, [consent])).get(consent)
        if found is None:
            return None
        vault = await self.keystore.vault([found.subject])
        # Before a gate is held: somebody may have had thousands of mails.
        used = await uses.read(self.data, self.log.macs, found, vault, self.aside)
        async with self.data.begin() as connection:
            held = await gates.lock(connection, [found.subject])
            now = await self.clock.now(connection)
            gate = held.get(found.subject)
            if gate is None or not await self.may(connection, gate, vault, opening, now):
                return None
            made = await self.read(connection, gate, consent, vault, now)
            if made is not None:
                trail = Trail(self.log, vault, held)
                kind, said = told_as(gate, opening)
                trail.record(
                    kind, gate.subject, opening.actor, now, evidence=said, refs=opening.refs
                )
                await trail.stage(connection)
        return None if made is None else replace(made, uses=used)

    async def may(
        self,
        connection: AsyncConnection,
        gate: Gate,
        vault: Vault,
        opening: Opening,
        now: datetime,
    ) -> bool:
        """Whether their evidence may be opened: they are here, or it is locked, and for a case."""
        if gate.state is not SubjectState.ERASED:
            return gates.usable(gate, vault, Compartment.EVIDENCE)
        if opening.case is None or not gate.is_honest(self.consents.keys):
            return False
        until = await self._locked_until(connection, gate, now)
        return until is not None and vault.has(gate.subject, Compartment.EVIDENCE)

    async def _locked_until(
        self, connection: AsyncConnection, gate: Gate, now: datetime
    ) -> datetime | None:
        """Until when what proves their consents stays; whose term is over has none."""
        keys = self.consents.keys
        ends = await erasing.ends_of(connection, keys, {gate.subject: gate}, now)
        request = ends.requests.get(gate.subject)
        return None if gate.subject not in ends.locked or request is None else request.locked_until

    async def read(
        self, connection: AsyncConnection, gate: Gate, consent: str, vault: Vault, now: datetime
    ) -> ConsentEvidence | None:
        """The same under a gate that is held, for who tells the log of it in the same transaction.

        None for a consent that is not theirs.
        """
        rows = (await self.consents.of_subjects(connection, [gate.subject])).get(gate.subject, [])
        one = next((row for row in rows if row.id == consent), None)
        if one is None:
            return None
        (used,) = await self.consents.with_use(connection, [one], now)
        held = {gate.subject: gate}
        told = (await history.read(connection, self.log.macs, held, vault, rows))[gate.subject]
        events = list(told.told)
        known = await texts.get(connection, [one.text_hash])
        text = known.get(one.text_hash)
        names = consent_proof.named_by(events)
        erased = gate.state is SubjectState.ERASED
        return consent_proof.assembled(
            Material(
                consent=used,
                told=events,
                places=await audit_trail.places(connection, [event.eid for event in events]),
                whole=told.whole,
                fits=told.vouches(one),
                text=text,
                notice=None
                if text is None
                else await texts.notice(connection, text.bundle["notice"]),
                specimens=await specimens.get(connection, names),
                broken=await specimens.broken(connection, names),
                at=now,
                erased=erased,
                locked_until=await self._locked_until(connection, gate, now) if erased else None,
            )
        )


def told_as(gate: Gate, opening: Opening) -> tuple[Kind, Proof]:
    """What the log says of it, in the trail of that person."""
    if gate.state is SubjectState.ERASED and opening.case is not None:
        return Kind.EVIDENCE_OPENED, Opened(opening.case, opening.why, opening.caller)
    return Kind.SUBJECT_ACCESSED, Accessed(
        opening.why, caller=opening.caller, operator=opening.name
    )
