"""What stays of people who were erased is opened: under a case, by who answers for the data.

No index leads to it any more, so everybody's is opened in turn, and compared; no
transaction is held meanwhile, and the loop is left free. The log tells of the search
before anything is read, and of what is shown in the trail of whom it is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.trail import Told
from consent import evidence, gates, history, locked, texts
from consent.address import Address
from consent.consents import Consent, Consents
from consent.erasures import Erasure
from consent.errors import StoredError
from consent.evidence import Proof, Requested
from consent.history import History
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment
from consent.model import SubjectState
from consent.subject_evidence import Opened
from consent.texts import PublishedNotice, Text
from consent.trail import Trail
from gateway.flows.rights import erasing
from storage.clock import Clock
from storage.database import Database

_AT_ONCE = 200  # people, who are opened in one go


@dataclass(frozen=True, slots=True)
class Case:
    """Whose evidence is wanted, for which case and why, and by whom.

    The *number* stands in the log for ever, and so must lead to nobody.
    """

    email: Address = field(repr=False)
    number: str
    why: str = field(repr=False)
    actor: Actor
    caller: str | None = None  # the id of an API key; none: the command line

    @property
    def refs(self) -> Mapping[str, str]:
        by = {} if self.caller is None else {"api_key": self.caller}
        return {"case": self.number} | by


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a search has come, and of whom it found evidence on the way."""

    found: Sequence[str]
    people: int
    after: str | None  # where to go on; none: nobody is left


@dataclass(frozen=True, slots=True)
class Step:
    """One event that proves something of a consent."""

    eid: bytes
    kind: Kind
    at: datetime
    said: Proof


@dataclass(frozen=True, slots=True)
class ConsentProof:
    """What is kept of one consent; *fits*: the log vouches for its row."""

    consent: Consent
    fits: bool
    text: Text | None  # none: it is not what its hash says any more
    steps: Sequence[Step]
    # Confirmed by somebody who may not have asked: what the request said proves nothing, and is
    # left out, as on the person's own pages.
    contested: bool


@dataclass(frozen=True, slots=True)
class PersonProof:
    """What stays of one person, and until when; *whole*: the log lacks none of it."""

    subject: str
    locked_until: datetime | None  # none: the row that says so is away
    whole: bool
    consents: Sequence[ConsentProof]
    corrections: Sequence[Step]  # since when which address was theirs, where it was another


@dataclass(frozen=True, slots=True)
class Opening:
    """What was opened for a case, with the notices that its wordings name."""

    people: Sequence[PersonProof]
    notices: Sequence[PublishedNotice]


@dataclass(frozen=True, slots=True)
class LockedEvidence:
    """Searches and opens it."""

    data: Database
    keystore: KeyStore
    consents: Consents
    log: Log
    clock: Clock

    async def begin(self, case: Case) -> int:
        """Tell the log of the search, whatever it will find; how many people it has before it."""
        async with self.data.begin() as connection:
            now = await self.clock.now(connection)
            event = Event(Kind.EVIDENCE_SEARCHED, case.actor, now, refs=case.refs)
            await self.log.stage(connection, [draft(event, None, self.log.node)])
        async with self.data.read() as connection:
            return await locked.count(connection)

    async def search(self, case: Case, after: str | None, most: int) -> Looked:
        """Look through the next people, at most so many; call `begin` before. Changes nothing."""
        found: list[str] = []
        people = 0
        while people < most:
            limit = min(_AT_ONCE, most - people)
            page, theirs, after = await self._page(case.email.canonical, after, limit)
            found += sorted(theirs)
            people += len(page)
            if after is None:
                break
        return Looked(found, people, after)

    async def _page(
        self, canonical: str, after: str | None, limit: int
    ) -> tuple[Sequence[str], Collection[str], str | None]:
        async with self.data.read() as connection:
            page, rows, last = await locked.sealed_after(connection, after, limit)
        vault = await self.keystore.vault(page)
        return page, await asyncio.to_thread(locked.whose, rows, canonical, vault), last

    async def open(self, case: Case, subjects: Collection[str]) -> Opening:
        """What stays of these people, once the log holds that it was opened, and for what.

        Whose term is over is left out, whether or not a duty has come by: it was told to them.
        """
        vault, keys = await self.keystore.vault(subjects), self.consents.keys
        async with self.data.begin() as connection:
            held = await gates.lock(connection, subjects)
            now = await self.clock.now(connection)
            ends = await erasing.ends_of(connection, keys, held, now)
            theirs = {
                one: gate
                for one, gate in held.items()
                if gate.state is SubjectState.ERASED
                and gate.is_honest(keys)
                and one in ends.locked
                and vault.has(one, Compartment.EVIDENCE)
            }
            rows = await self.consents.of_subjects(connection, theirs)
            stored = [consent for consents in rows.values() for consent in consents]
            told = await history.read(connection, self.log.macs, theirs, vault, stored)
            opening = await _opening(connection, rows, told, ends.requests)
            trail = Trail(self.log, vault, theirs)
            said = Opened(case.number, case.why, case.caller)
            for one in theirs:
                kind, refs = Kind.EVIDENCE_OPENED, case.refs
                trail.record(kind, one, case.actor, now, evidence=said, refs=refs)
            await trail.stage(connection)
        return opening


async def _opening(
    connection: AsyncConnection,
    rows: Mapping[str, Sequence[Consent]],
    told: Mapping[str, History],
    requests: Mapping[str, Erasure],
) -> Opening:
    hashes = {consent.text_hash for consents in rows.values() for consent in consents}
    known = await texts.get(connection, hashes)
    named = sorted({text.bundle["notice"] for text in known.values()})
    notices = [await texts.notice(connection, one) for one in named]
    people = []
    for subject, trail in told.items():
        request = requests.get(subject)
        until = None if request is None else request.locked_until
        steps = _steps(trail)
        proofs = _proofs(rows.get(subject, ()), known, trail, steps)
        corrected = [one for one in steps if one.kind is Kind.SUBJECT_RECTIFIED]
        people.append(PersonProof(subject, until, trail.whole, proofs, corrected))
    return Opening(people, [one for one in notices if one is not None])


def _steps(trail: History) -> list[Step]:
    """What the log tells of somebody, in its order; without what this release cannot read."""
    told = [(one, said) for one in trail.told if (said := _said(one)) is not None]
    return [Step(one.eid, one.kind, one.entry.at, said) for one, said in told]


def _proofs(
    consents: Iterable[Consent], known: Mapping[str, Text], trail: History, steps: Sequence[Step]
) -> list[ConsentProof]:
    """Each consent with its wording and what the log tells of it, oldest first."""
    found = []
    for consent in consents:
        about = [one for one in steps if consent.id in one.said.consents]
        contested = evidence.contested([one.said for one in about], consent.state)
        shown = [one for one in about if not (contested and isinstance(one.said, Requested))]
        text, fits = known.get(consent.text_hash), trail.vouches(consent)
        found.append(ConsentProof(consent, fits, text, shown, contested))
    return found


def _said(told: Told) -> Proof | None:
    try:
        return evidence.read(told.kind, told.facts)
    except StoredError:
        return None
