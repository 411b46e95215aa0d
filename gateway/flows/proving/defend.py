"""Whether a mail that somebody came with is ours, under which permit, and what proves the consent.

It is judged by its own bytes first: a mail that is not ours leads to nobody. One that is leads to
the second in which it was permitted, and so to its leaf, whether or not its rows are still there.
The log is told who looks, and why, before anything is handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import within
from audit.kinds import Kind
from audit.log import Log
from audit.within import ItemFound
from consent import gates, personal
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.model import GroundKind, SubjectState
from consent.trail import Trail
from delivery import authorship, outbox
from delivery.authorship import Keys, NotOurs, Signed, Why
from gateway.flows.proving import mail_trail, transmissions
from gateway.flows.proving.consent_evidence import Evidences, Opening, told_as
from gateway.flows.proving.consent_proof import ConsentEvidence
from gateway.flows.proving.mail_trail import SECOND
from gateway.flows.proving.transmissions import Transmission
from gateway.flows.rights.dossier import Aside
from storage.ids import ordered_id

_MOST_ITEMS: Final = 60_000  # of one person: who has more mails since then, of those the newest
_OF_MAILS: Final = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH)
_ON_A_CONSENT: Final = (GroundKind.CONSENT, GroundKind.CONFIRMATION)


class Reach(StrEnum):
    """How far what is kept leads."""

    WHOLE = "whole"
    # It was signed by our key in a second in which mails were permitted of which nothing is kept
    # any more: their person was erased, or their term is over.
    ENDED = "ended"
    # The relay gave it another Message-ID, and it fits nobody who is here, or several.
    UNIDENTIFIED = "unidentified"
    # Its person was erased, and who asks may not open what is locked.
    LOCKED = "locked"
    # The log lost entries in a restore: what was permitted in them nobody knows.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Defended:
    """A mail of ours, with what is kept of it.

    *case* is what the log names this defence by, where anything was opened.
    *to_its_address*: whether it went to the address that the consent names; None: nobody knows.
    """

    signed: Signed
    case: str
    at: datetime
    reach: Reach
    message: str | None = None
    subject: str | None = None
    sent: Sequence[Transmission] = ()
    as_it_was_sent: bool | None = None
    consent: ConsentEvidence | None = None
    to_its_address: bool | None = None
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Owned:
    """The public keys of then and now, and the domains that mails of ours are signed for."""

    keys: Keys
    domains: Collection[str]


@dataclass(frozen=True, slots=True)
class Defences:
    """Answers for mails that somebody came with."""

    evidences: Evidences
    owned: Callable[[], Owned]
    aside: Aside
    opens_locked: bool  # whether who asks may open what stays of who was erased

    @property
    def _log(self) -> Log:
        return self.evidences.log

    @property
    def _keystore(self) -> KeyStore:
        return self.evidences.keystore

    async def of(self, raw: bytes, opening: Opening) -> Defended | NotOurs:
        """Whether it is ours, and what is kept of it, once the log holds that it was opened."""
        owned = await self.aside(self.owned)
        judged = await self.aside(partial(authorship.examine, raw, owned.keys, owned.domains))
        if isinstance(judged, NotOurs):
            return judged
        message = mail_trail.message_of(judged, owned.domains)
        found = await self._found(judged, message)
        if isinstance(found, Why):
            return NotOurs(found, judged.signed_by, judged.key.selector)
        async with self.evidences.data.read() as connection:
            now = await self.evidences.clock.now(connection)
        case = opening.case or ordered_id("def", now)
        bare = Defended(judged, case, now, Reach.ENDED, message)
        if isinstance(found, Reach):
            return replace(bare, reach=found)
        return await self._opened(bare, found, replace(opening, case=case))

    async def _found(self, judged: Signed, message: str | None) -> ItemFound | Reach | Why:
        """The item of its first permit."""
        items: list[ItemFound] = []
        lost = 0
        for moment in mail_trail.moments(judged):
            async with self.evidences.data.snapshot() as connection:
                macs, kind = self._log.macs, Kind.PERMIT_BATCH
                stored = await within.stored(connection, macs, kind, moment, moment + SECOND)
            vault = await self._keystore.vault(stored.subjects)
            said, keyless = await self.aside(partial(within.opened, stored, vault))
            items += said
            lost += stored.gone + keyless
        if message is None:
            return await self._by_mailbox(judged, items) or Reach.UNIDENTIFIED
        found = transmissions.permits_of(items, message) or await self._by_row(message)
        if found or lost:
            return found[0] if found else Reach.ENDED
        return Reach.LOST if self._log.generation > 1 else Why.NEVER_ACCEPTED

    async def _by_row(self, message: str) -> list[ItemFound]:
        """The permits of a message that has its row, also where they wait for their place.

        Only what was sealed for that person and names the message: a row may say anything.
        """
        async with self.evidences.data.snapshot() as connection:
            row = await outbox.get(connection, message)
            if row is None:
                return []
            macs, kinds = self._log.macs, [Kind.PERMIT_BATCH]
            since = row.created_at.replace(microsecond=0)
            stored = await within.of_person(
                connection, macs, row.subject, kinds, since, _MOST_ITEMS
            )
        vault = await self._keystore.vault([row.subject])
        said, _ = await self.aside(partial(within.opened, stored, vault))
        return transmissions.permits_of(sorted(said, key=lambda one: one.at), message)

    async def _by_mailbox(self, judged: Signed, items: Sequence[ItemFound]) -> ItemFound | None:
        """Whose message it is by where it went; only the one that it can be."""
        permitted = [one for one in items if mail_trail.may_be(judged, one)]
        subjects, said = {one.subject for one in permitted}, judged.said(b"to")
        vault = await self._keystore.vault(subjects)
        async with self.evidences.data.read() as connection:
            known = await gates.peek(connection, subjects)
        here = {
            name
            for name, gate in known.items()
            if gates.usable(gate, vault, Compartment.PROFILE)
            and mail_trail.same_mailbox(personal.open_mailbox(gate, vault), said)
        }
        theirs = [one for one in permitted if one.subject in here]
        named = {one.facts.get("message") for one in theirs}
        return theirs[0] if len(named) == 1 else None

    async def _opened(
        self, bare: Defended, first: ItemFound, opening: Opening
    ) -> Defended | NotOurs:
        """Read under the gate, and told in the same transaction."""
        subject, message, judged = first.subject, str(first.facts["message"]), bare.signed
        evidences, vault = self.evidences, await self._keystore.vault([subject])
        sent = await self._sent(first, message, vault)
        other = mail_trail.is_other(judged, sent)
        if other:
            return NotOurs(Why.OTHER_CONTENT, judged.signed_by, judged.key.selector)
        async with evidences.data.begin() as connection:
            gate = (await gates.lock(connection, [subject])).get(subject)
            now = await evidences.clock.now(connection)
            if gate is None or not await evidences.may(connection, gate, vault, opening, now):
                return bare  # their term ended, or their erasure began, since it was found
            if gate.state is SubjectState.ERASED and not self.opens_locked:
                return replace(bare, reach=Reach.LOCKED)
            consent = await self._consent(connection, gate, sent, vault, now)
            trail = Trail(self._log, vault, {subject: gate})
            kind, said = told_as(gate, opening)
            trail.record(kind, subject, opening.actor, now, evidence=said, refs=opening.refs)
            await trail.stage(connection)
        return replace(
            bare,
            at=now,
            reach=Reach.WHOLE,
            message=message,
            subject=subject,
            sent=sent,
            as_it_was_sent=None if other is None else True,
            consent=consent,
            to_its_address=mail_trail.went_to(judged, consent),
            erased=gate.state is SubjectState.ERASED,
        )

    async def _sent(self, first: ItemFound, message: str, vault: Vault) -> Sequence[Transmission]:
        """Its permits, the first one's and those of later tries."""
        since, macs = first.at.replace(microsecond=0), self._log.macs
        async with self.evidences.data.snapshot() as connection:
            stored = await within.of_person(
                connection, macs, first.subject, _OF_MAILS, since, _MOST_ITEMS
            )
        items, _ = await self.aside(partial(within.opened, stored, vault))
        return transmissions.transmissions(items, message) or [Transmission(first, None)]

    async def _consent(
        self,
        connection: AsyncConnection,
        gate: Gate,
        sent: Sequence[Transmission],
        vault: Vault,
        now: datetime,
    ) -> ConsentEvidence | None:
        """What proves the consent that the last permit rests on, or asks for."""
        kind, name = sent[-1].ground
        if kind not in _ON_A_CONSENT:
            return None
        return await self.evidences.read(connection, gate, name, vault, now)
