"""What proves consents and tells of mails ends by its own term, also of people who stay.

The log keeps its entries; what they say of a person is deleted, and one more event
says how much, so that a verification tells it from tampering.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import forgetting
from audit import trail as audit_trail
from audit.entry import Event, draft
from audit.forgetting import Theirs
from audit.kinds import Actor, Kind
from audit.log import LetGo, Log
from audit.trail import Told
from consent import evidence, gates, people
from consent.consents import Consent
from consent.errors import StoredError
from consent.keys.vault import Compartment, Vault
from consent.subject_evidence import ProofEnded
from consent.trail import Trail
from delivery import retention as delivery_rules
from delivery.retention import OldPermit
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.locks import try_alone

# What asks for a mail, too: who asked whether one may go, as who was told that it may not.
OF_MAILS = (
    Kind.PERMIT_BATCH,
    Kind.DELIVERY_BATCH,
    Kind.MESSAGE_REFUSED,
    Kind.PERMISSION_ASKED,
    Kind.ADDRESSES_RELEASED,
    Kind.MESSAGE_CANCELLED,
)
# Of who was erased these are part of what stays locked: by them a mail is defended (ADR 0038).
_SENT = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH)
# An objection stands by itself, whatever became of the consents that it ended.
_OF_CONSENTS = frozenset(Kind) - {Kind.CONSENT_OBJECTED}
_AT_ONCE = 50  # batch events; one more tells of them
_PAGES = 20  # without a pause
_ALONE = "facts of mails"
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


async def outliving(
    connection: AsyncConnection, keys: RowKeys, pairs: Mapping[tuple[bytes, str], Kind]
) -> set[tuple[bytes, str]]:
    """Of which of these events and people the facts stay, though their term is over.

    A permit that something still needs, its event grants. Of who was erased the mails that were
    sent are locked evidence, and end with it.
    """
    granted = await delivery_rules.granted_by(connection, pairs.keys())
    held = await gates.peek(connection, {subject for _, subject in pairs})
    erased = {subject for subject, gate in held.items() if gate.gone(keys)}
    return granted | {
        (eid, subject)
        for (eid, subject), kind in pairs.items()
        if subject in erased and kind in _SENT
    }


@dataclass
class MailFacts:
    """What the log says of each person's mails goes as what became of them does.

    Once a day it goes on from where the log says that it ended. Of a permit that something
    still needs its event stays, or nothing would grant it; it goes with the permit.
    """

    data: Database
    vault: Callable[[Collection[str]], Awaitable[Vault]]
    clock: Clock
    log: Log
    keys: RowKeys
    kept: timedelta
    _begun_at: datetime | None = None
    _more: bool = False  # of this day's turn
    _beyond: int = -1  # up to here stand rows that no gateway wrote

    async def run(self) -> int:
        now, begun = self.clock.wall(), self._begun_at
        # A last time that is yet to come is from a clock that ran ahead.
        if not self._more and begun is not None and begun <= now < begun + _EVERY:
            return 0
        self._begun_at = begun if self._more else now
        did = 0
        for _ in range(_PAGES):
            did += await self._page()
            if not self._more:
                break
        return did

    async def _page(self) -> int:
        async with self.data.read() as connection:
            reached = await forgetting.reached(connection, self.log)
            before = await self.clock.now(connection) - self.kept
            after = max(reached, self._beyond)
            stretch = await forgetting.over(connection, self.log, OF_MAILS, before, after, _AT_ONCE)
            rows = await forgetting.stored(connection, stretch.kinds.keys())
        self._more = stretch.looked is not None
        if not stretch.kinds:
            self._beyond = -1 if stretch.looked is None else stretch.looked
            return 0
        theirs = await self._opened(rows)
        async with self.data.begin() as connection:
            # Each is gone through once: what was put back would be accounted for twice.
            alone = await try_alone(connection, _ALONE)
            if not alone or await forgetting.reached(connection, self.log) != reached:
                self._more = False  # another process goes on with it
                return 0
            let_go = await self._let_go(connection, theirs, stretch.kinds)
            await self._account(connection, let_go.refs | stretch.refs)
        return let_go.items

    async def _opened(self, rows: Sequence[Any]) -> list[Theirs]:
        """Aside: a page may hold thousands of items."""
        vault = await self.vault({row.subject for row in rows})
        return await asyncio.to_thread(forgetting.opened, rows, vault)

    async def _let_go(
        self, connection: AsyncConnection, theirs: Sequence[Theirs], kinds: Mapping[bytes, Kind]
    ) -> LetGo:
        """Empty these items of events of those *kinds*, but what outlives its term."""
        pairs = {(one.eid, one.subject): kinds[one.eid] for one in theirs}
        keep = await outliving(connection, self.keys, pairs)
        going = [one for one in theirs if (one.eid, one.subject) not in keep]
        return await forgetting.items(connection, going)

    async def with_permits(self, permits: Sequence[OldPermit]) -> int:
        """Drop permits that nothing needs any more, and what their events say; how many went."""
        eids = {permit.eid for permit in permits}
        async with self.data.read() as connection:
            rows = await forgetting.stored(connection, eids)
        pairs = {(permit.eid, permit.subject) for permit in permits}
        theirs = await self._opened([row for row in rows if (row.eid, row.subject) in pairs])
        async with self.data.begin() as connection:
            await delivery_rules.drop_permits(connection, [permit.id for permit in permits])
            before = await self.clock.now(connection) - self.kept
            old = await forgetting.vouched(connection, self.log, eids, before)
            granting = dict.fromkeys(old, Kind.PERMIT_BATCH)
            going = [one for one in theirs if one.eid in old]
            let_go = await self._let_go(connection, going, granting)
            if let_go.items:
                await self._account(connection, let_go.refs)
        return len(permits)

    async def _account(self, connection: AsyncConnection, refs: Mapping[str, str]) -> None:
        now = await self.clock.now(connection)
        event = Event(Kind.EVIDENCE_ENDED, Actor.SYSTEM, now, refs=refs)
        await self.log.stage(connection, [draft(event, None, self.log.node)])
