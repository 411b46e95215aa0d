"""A mail that somebody came with, as a bundle: the mail, the answer, and the log that proves it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import succession
from audit.export.disclosed import Disclosing, Showing
from audit.export.selection import Part
from audit.kinds import Kind
from consent import gates
from consent.model import SubjectState
from delivery.authorship import NotOurs
from gateway.flows.errors import PersonEnded
from gateway.flows.proving import consent_bundle, mail_trail
from gateway.flows.proving.consent_bundle import Judging
from gateway.flows.proving.consent_evidence import Evidences, Opening
from gateway.flows.proving.defend import Defended
from gateway.flows.proving.export_forms import Bytes
from gateway.flows.proving.exports import Exports, specimen_files

_OF_MAILS: Final = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH)


@dataclass(frozen=True, slots=True)
class _OfMail:
    """What of a person is shown for one of their mails: its items, and its consent."""

    message: str
    consent: Judging | None

    def __call__(self, kind: Kind, facts: Mapping[str, Any]) -> Showing:
        if kind in _OF_MAILS:
            return Showing.OPENED if facts.get("message") == self.message else Showing.LEFT_OUT
        if kind is Kind.EVIDENCE_ENDED:
            return Showing.OPENED  # it says which numbers are no more, and nothing else
        return Showing.WITHHELD if self.consent is None else self.consent(kind, facts)


@dataclass(frozen=True, slots=True)
class DefenceBundles:
    """Writes them. None where no checkpoint covers the mail's permits yet."""

    exports: Exports
    evidences: Evidences

    async def of(
        self, found: Defended | NotOurs, opening: Opening, files: Mapping[str, bytes]
    ) -> Bytes | None:
        """Give mail, answer and paper as *files*; *opening* is what was answered for."""
        logs = await self.exports.logs()
        if not logs or (isinstance(found, Defended) and not _covered(found, logs)):
            return None
        more: dict[str, Sequence[bytes]] = {name: [content] for name, content in files.items()}
        if isinstance(found, Defended) and found.subject is not None:
            person = await self._disclosing(found, found.subject, opening)
            return await self.exports.of_disclosed(logs, person, more | _shown(found))
        # Nobody is named, and of the log nothing but what was permitted in that second.
        moments = mail_trail.moments(found.signed) if isinstance(found, Defended) else []
        async with self.evidences.data.read() as connection:
            now = await self.evidences.clock.now(connection)
        since = moments[0] if moments else now
        return await self.exports.of_time(logs, since, since + mail_trail.SECOND, more)

    async def _disclosing(self, found: Defended, subject: str, opening: Opening) -> Disclosing:
        evidences, consent = self.evidences, found.consent
        vault = await evidences.keystore.vault([subject])

        async def still(connection: AsyncConnection) -> None:
            gate = (await gates.peek(connection, [subject])).get(subject)
            now = await evidences.clock.now(connection)
            # Who was erased since it was answered is opened anew, or not at all: what stays of them
            # is locked, and who asked may not be who opens that.
            same = gate is not None and found.erased == (gate.state is SubjectState.ERASED)
            if gate is None or not same:
                raise PersonEnded
            if not await evidences.may(connection, gate, vault, opening, now):
                raise PersonEnded

        judge = _OfMail(str(found.message), None if consent is None else Judging.of(consent))
        return Disclosing(subject, vault, judge, still, kind="mail", events=_events(found))


def _shown(found: Defended) -> dict[str, Sequence[bytes]]:
    """What the consent was asked with, as files."""
    if found.consent is None:
        return {}
    mails = consent_bundle.mail_files(found.consent).items()
    return {**specimen_files(found.consent.specimens.values()), **{n: [raw] for n, raw in mails}}


def _events(found: Defended) -> Collection[bytes]:
    ends = [one.outcome for one in found.sent if one.outcome is not None]
    return {one.of.entry.eid for one in (*(one.permit for one in found.sent), *ends)}


def _covered(found: Defended, logs: Sequence[Part]) -> bool:
    """Whether each permit, and each event of the consent, has its place under a checkpoint."""
    sizes = {one.generation: one.size for one in logs}
    places = [one.permit.of.place for one in found.sent]
    permits = all(
        place is not None
        and succession.index_of(place) < sizes.get(succession.generation_of(place), 0)
        for place in places
    )
    consent = found.consent
    return permits and (consent is None or consent_bundle.is_covered(consent, sizes))
