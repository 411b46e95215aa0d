"""What proves consents and tells of mails ends by its own term, also of people who stay.

The log keeps its entries; what they say of a person is deleted, and one more event
says how much, so that a verification tells it from tampering.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import forgetting
from audit import trail as audit_trail
from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.trail import Told
from consent import evidence, people
from consent.consents import Consent
from consent.errors import StoredError
from consent.evidence import ProofEnded
from consent.keys.vault import Compartment, Vault
from consent.trail import Trail
from delivery import retention as delivery_rules
from gateway.flows.keeping.walk import Walk, stroll
from storage.clock import Clock
from storage.database import Database

_OF_MAILS = (
    Kind.PERMIT_BATCH,
    Kind.DELIVERY_BATCH,
    Kind.MESSAGE_REFUSED,
    Kind.MESSAGE_CANCELLED,
)
# An objection stands by itself, whatever became of the consents that it ended.
_OF_CONSENTS = frozenset(Kind) - {Kind.CONSENT_OBJECTED}
_AT_ONCE = 200
_EVERY = timedelta(days=1)


async def end(
    connection: AsyncConnection,
    trail: Trail,
    vault: Vault,
    ended: Mapping[str, Sequence[Consent]],
    standing: Mapping[str, Collection[str]],
    now: datetime,
) -> int:
    """Delete these consents, by whose they are, and what the log says of nothing that stands.

    Hold the gates, and stage the *trail* in the same transaction. Who has no key
    keeps everything: nobody could tell what is whose.
    """
    readable = {one: vault.has(one, Compartment.EVIDENCE) for one in ended if ended[one]}
    subjects = [one for one, opens in readable.items() if opens]
    if not subjects:
        return 0
    told = await audit_trail.told(connection, subjects, _OF_CONSENTS, vault)
    gone: list[str] = []
    for subject in subjects:
        ids = {consent.id for consent in ended[subject]}
        theirs = [one for one in told if one.subject == subject]
        events = _over(theirs, ids, standing[subject])
        let_go = await forgetting.payloads(connection, subject, [one.eid for one in events])
        numbers = tuple(sorted(one.facts["sseq"] for one in events))
        said = ProofEnded(numbers)
        kind, actor = Kind.EVIDENCE_ENDED, Actor.SYSTEM
        trail.record(kind, subject, actor, now, evidence=said, refs=let_go.refs)
        gone += ids
    await people.forget_consents(connection, gone)
    return len(gone)


def _over(told: Sequence[Told], ended: Collection[str], standing: Collection[str]) -> list[Told]:
    """Which of one person's events tell of consents alone that ended, now or before.

    A mail asked for several, which end on different days. One without a row stands all the
    same while an event tells of it by itself: its row may be away, and its proof is owed.
    """
    named = [(event, _named(event)) for event in told]
    alone = {next(iter(names)) for _, names in named if len(names) == 1}
    left = {*standing, *(alone - set(ended))}
    return [event for event, names in named if names and not names & left]


def _named(event: Told) -> frozenset[str]:
    """The consents that an event tells of; none where this release cannot read it."""
    try:
        said = evidence.read(event.kind, event.facts)
    except StoredError:
        return frozenset()
    return frozenset() if said is None else frozenset(said.consents)


@dataclass
class MailFacts:
    """What the log says of each person's mails goes as what became of them does, once a day.

    Of a permit that something still needs its event stays, or nothing would grant it.
    """

    data: Database
    clock: Clock
    log: Log
    kept: timedelta
    _walk: Walk[int] = field(default_factory=lambda: Walk(_AT_ONCE))
    _begun_at: datetime | None = None

    async def run(self) -> int:
        now = self.clock.wall()
        begun = self._begun_at
        # A last time that is yet to come is from a clock that ran ahead.
        if self._walk.after is None and begun is not None and begun <= now < begun + _EVERY:
            return 0
        self._begun_at = now if self._walk.after is None else begun
        return await stroll(self._walk, self._page)

    async def _page(self) -> int:
        after = -1 if self._walk.after is None else self._walk.after
        async with self.data.begin() as connection:
            now = await self.clock.now(connection)
            page = await forgetting.old_batches(
                connection, self.log, _OF_MAILS, now - self.kept, after, _AT_ONCE
            )
            self._walk.move([one.index for one in page])
            keep = await delivery_rules.granted_by(connection, [one.eid for one in page])
            let_go = await forgetting.items(connection, page, keep)
            if let_go.items:
                event = Event(Kind.EVIDENCE_ENDED, Actor.SYSTEM, now, refs=let_go.refs)
                await self.log.stage(connection, [draft(event, None, self.log.node)])
        return let_go.items
