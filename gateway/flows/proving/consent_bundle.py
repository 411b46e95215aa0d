"""A bundle about one consent: the person's, with what is not about that consent left closed.

That there are other events of theirs is said, so that nobody can leave one out; what they
say stays closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import succession
from audit.export.disclosed import Disclosing, Showing
from audit.kinds import Kind
from consent import evidence, gates
from consent.errors import StoredError
from consent.evidence import Requested
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment
from consent.mail_evidence import fills_mail
from consent.model import SubjectState
from gateway.flows.errors import PersonEnded
from gateway.flows.proving.consent_proof import ConsentEvidence
from gateway.flows.proving.export_forms import Bytes
from gateway.flows.proving.exports import Exports, specimen_files
from storage.database import Database

_BATCHES: Final = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH, Kind.MESSAGE_REFUSED)


@dataclass(frozen=True, slots=True)
class Judging:
    """Opens what is about one consent, as far as its evidence shows it."""

    consent: str
    messages: frozenset[str]  # that asked for it
    withheld: frozenset[str]  # of these, those whose link can still confirm something
    contested: bool

    @classmethod
    def of(cls, found: ConsentEvidence) -> Judging:
        named = {mail.said.message: mail.withheld for mail in found.mails}
        held = frozenset(name for name, withheld in named.items() if withheld)
        return cls(found.consent.id, frozenset(named), held, found.contested)

    def __call__(self, kind: Kind, facts: Mapping[str, Any]) -> Showing:
        message = facts.get("message")
        # First: whoever writes rows may say that it is another event. One that is not known here
        # went out since, and its link may be open.
        if fills_mail(facts) and message not in self.messages - self.withheld:
            return Showing.WITHHELD
        if kind in _BATCHES:
            ground = facts.get("ground")
            theirs = isinstance(ground, dict) and ground.get("id") == self.consent
            asked = message in self.messages
            return Showing.OPENED if theirs or asked else Showing.LEFT_OUT
        if kind is Kind.EVIDENCE_ENDED:
            return Showing.OPENED  # it says which numbers are no more, and nothing else
        return Showing.OPENED if self._is_about(kind, facts) else Showing.WITHHELD

    def _is_about(self, kind: Kind, facts: Mapping[str, Any]) -> bool:
        try:
            said = evidence.read(kind, facts)
        except StoredError:
            return False
        if said is None or self.consent not in said.consents:
            return False
        hidden = self.contested and isinstance(said, Requested)
        return not hidden and facts.get("message") not in self.withheld


@dataclass(frozen=True, slots=True)
class ConsentBundles:
    """Makes them of evidence that was gathered, and so told of."""

    exports: Exports
    data: Database
    keystore: KeyStore

    async def of(
        self, found: ConsentEvidence, files: Mapping[str, bytes], held: Sequence[str] = ()
    ) -> Bytes | None:
        """The bundle, with *files* in it for who reads.

        None while no checkpoint covers all that there is of it: one will, within seconds.
        """
        subject, logs = found.consent.subject, await self.exports.logs()
        if not is_covered(found, {one.generation: one.size for one in logs}):
            return None
        vault = await self.keystore.vault([subject])

        async def still(connection: AsyncConnection) -> None:
            gate = (await gates.peek(connection, [subject])).get(subject)
            locked = found.erased and gate is not None and gate.state is SubjectState.ERASED
            if not locked and not gates.usable(gate, vault, Compartment.EVIDENCE):
                raise PersonEnded

        judge = Judging.of(found)
        person = Disclosing(subject, vault, judge, still, kind="consent")
        shown = specimen_files(found.specimens.values())
        mails = {name: [raw] for name, raw in mail_files(found).items()}
        more = {name: [content] for name, content in files.items()}
        return await self.exports.of_disclosed(logs, person, {**more, **mails, **shown}, held)


def mail_files(found: ConsentEvidence) -> dict[str, bytes]:
    """Each mail that could be made again, as a file that its hash names."""
    return {
        f"mails/{str(mail.said.mail).removeprefix('sha256:')}.eml": mail.raw
        for mail in found.mails
        if mail.raw is not None
    }


def is_covered(found: ConsentEvidence, sizes: Mapping[int, int]) -> bool:
    """Whether every event of the consent is in a log that was signed as far as *sizes* say."""
    places = [step.place for step in found.steps]
    return all(
        place is not None
        and succession.index_of(place) < sizes.get(succession.generation_of(place), 0)
        for place in places
    )
