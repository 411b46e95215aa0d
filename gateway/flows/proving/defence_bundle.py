"""A mail that somebody came with, as a bundle: the mail, the answer, and the log that proves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import succession
from audit.canonical import encode
from audit.export import bundle
from audit.export.bundle import Part, Wanted
from audit.export.disclosed import Disclosing, Showing
from audit.kinds import Kind
from audit.publish import Publisher
from consent import evidence, gates, texts
from consent.errors import StoredError
from delivery.authorship import NotOurs
from gateway.flows.errors import PersonEnded
from gateway.flows.proving import exports, mail_trail
from gateway.flows.proving.consent_evidence import Evidences, Opening
from gateway.flows.proving.defend import Defended
from gateway.flows.rights.dossier import Aside
from storage.database import Database

_OF_MAILS = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH)


@dataclass(frozen=True, slots=True)
class _OfMail:
    """What of a person is shown for one of their mails: its items, and its consent."""

    message: str
    consent: str | None
    withheld: frozenset[str]  # events with a link that can still confirm something
    contested: bool

    def __call__(self, kind: Kind, facts: Mapping[str, Any]) -> Showing:
        if kind in _OF_MAILS:
            return Showing.OPENED if facts.get("message") == self.message else Showing.LEFT_OUT
        try:
            said = evidence.read(kind, facts)
        except StoredError:
            said = None
        if said is None or self.consent not in said.consents:
            return Showing.WITHHELD
        hidden = facts.get("eid") in self.withheld
        hidden |= self.contested and kind is Kind.CONSENT_REQUESTED
        return Showing.WITHHELD if hidden else Showing.OPENED


@dataclass(frozen=True, slots=True)
class DefenceBundles:
    """Writes them. None where no checkpoint covers the mail's permits yet."""

    data: Database
    evidences: Evidences
    publisher: Publisher
    aside: Aside

    async def of(
        self, found: Defended | NotOurs, opening: Opening, files: Mapping[str, Sequence[bytes]]
    ) -> AsyncIterator[bytes] | None:
        """Give mail, answer and paper as *files*; *opening* is what was answered for."""
        log, verifier = self.evidences.log, self.publisher.verifier
        parts = await bundle.parts_of(self.data, log, verifier)
        if not parts or (isinstance(found, Defended) and not _covered(found, parts)):
            return None
        async with self.data.read() as connection:
            now = await self.evidences.clock.now(connection)
            kept = exports.files(*await texts.kept(connection))
        wanted = Wanted(now, now)
        if isinstance(found, Defended) and found.subject is not None:
            wanted = Wanted(person=await self._disclosing(found, found.subject, opening))
        elif isinstance(found, Defended):
            moments = mail_trail.moments(found.signed)
            wanted = Wanted(moments[0], moments[0] + mail_trail.SECOND) if moments else wanted
        sign = self.publisher.sign_manifest
        return bundle.write(
            self.data, log.first, parts, wanted, {**kept, **files}, sign, now, self.aside
        )

    async def _disclosing(self, found: Defended, subject: str, opening: Opening) -> Disclosing:
        evidences, consent = self.evidences, found.consent
        vault = await evidences.keystore.vault([subject])

        async def still(connection: AsyncConnection) -> None:
            gate = (await gates.peek(connection, [subject])).get(subject)
            now = await evidences.clock.now(connection)
            if gate is None or not await evidences.may(connection, gate, vault, opening, now):
                raise PersonEnded

        mails = () if consent is None else consent.mails
        judge = _OfMail(
            message=str(found.message),
            consent=None if consent is None else consent.consent.id,
            withheld=frozenset(encode(one.eid) for one in mails if one.withheld),
            contested=consent is not None and consent.contested,
        )
        return Disclosing(subject, vault, judge, still, events=_events(found))


def _events(found: Defended) -> Collection[bytes]:
    ends = [one.outcome for one in found.sent if one.outcome is not None]
    return {one.of.entry.eid for one in (*(one.permit for one in found.sent), *ends)}


def _covered(found: Defended, parts: Sequence[Part]) -> bool:
    """Whether each permit has its place under a checkpoint."""
    sizes = {one.generation: one.size for one in parts}
    places = [one.permit.of.place for one in found.sent]
    return all(
        place is not None
        and succession.index_of(place) < sizes.get(succession.generation_of(place), 0)
        for place in places
    )
