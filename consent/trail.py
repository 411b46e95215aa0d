"""The audit events of one transaction about people whose gates it holds."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import EVIDENCE, Draft, Event, Item, Place, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import feed, gates, taken_away
from consent.evidence import Proof, TakenBack
from consent.feed import Change
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.taken_away import TakingAway
from storage.honesty import RowKeys


class Trail:
    """Collects events and stages them last, each person's in an unbroken row.

    Every event about a person carries its number and the commitment of the one
    before, so that a trail that was disclosed with a hole shows it.
    """

    def __init__(
        self, log: Log, vault: Vault, held: Mapping[str, Gate], keys: RowKeys | None = None
    ) -> None:
        """Give the *keys* of rows where others must hear of it: the guard, or who is told."""
        self._keys = keys
        self._taken: list[TakingAway] = []
        self._news: list[Change] = []
        self._log = log
        self._vault = vault
        self._held = held
        self._places: dict[str, Place] = {subject: gate.place for subject, gate in held.items()}
        self._moved: set[str] = set()
        self._drafts: list[Draft] = []

    def record(
        self,
        kind: Kind,
        subject: str,
        actor: Actor,
        at: datetime,
        *,
        evidence: Proof,
        refs: Mapping[str, str] | None = None,
    ) -> bytes:
        """Add an event about *subject*, whose gate is held; return its id."""
        event = Event(
            kind=kind,
            actor=actor,
            at=at,
            eid=secrets.token_bytes(16),
            refs=refs or {},
            facts={EVIDENCE: evidence.facts()},
            place=self._places[subject],
        )
        made = draft(event, self._vault, self._log.node)
        if made.next is not None:
            self._places[subject] = made.next
            self._moved.add(subject)
        self._drafts.append(made)
        self._note(event, subject, _purpose(evidence))
        self._announce(event, subject, getattr(evidence, "purpose", None))
        return event.eid

    def _announce(self, event: Event, subject: str, purpose: str | None) -> None:
        # A row may have a name that is none, and must keep nobody from leaving.
        purpose = purpose if taken_away.is_purpose(purpose) else None
        news = feed.told_of(event.kind, event.eid, subject, purpose, event.at)
        if news is not None:
            self._news.append(news)

    def _note(self, event: Event, subject: str, purpose: str | None) -> None:
        if event.kind in taken_away.KINDS:
            # Of what is no purpose's name, as a row has it that somebody wrote, it is all of them:
            # that takes away more, and the guard's store takes it.
            purpose = purpose if taken_away.is_purpose(purpose) else None
            said = TakingAway(event.eid, subject, purpose, event.kind, event.at)
            self._taken.append(said)

    def record_leaving(
        self,
        kind: Kind,
        subject: str,
        actor: Actor,
        at: datetime,
        *,
        evidence: Proof,
        refs: Mapping[str, str] | None = None,
    ) -> bytes:
        """As `record`; where the key for *evidence* is missing the event stands without it.

        Leaving never depends on a key. Such an event names nobody, and the person's own
        trail does not move: it shows neither the event nor a hole. Nor does it depend on
        what somebody wrote into the person's row: do not call it for who is being erased.
        """
        if subject in self._held and self._vault.has(subject, Compartment.EVIDENCE):
            return self.record(kind, subject, actor, at, evidence=evidence, refs=refs)
        return self.record_unnamed(kind, subject, _purpose(evidence), actor, at, refs)

    def record_unnamed(
        self,
        kind: Kind,
        subject: str,
        purpose: str | None,
        actor: Actor,
        at: datetime,
        refs: Mapping[str, str] | None = None,
    ) -> bytes:
        """Add an event that names nobody; return its id. The guard alone hears whose it is."""
        event = Event(kind, actor, at, refs=refs or {})
        self._drafts.append(draft(event, None, self._log.node))
        self._note(event, subject, purpose)
        self._announce(event, subject, purpose)
        return event.eid

    def record_batch(
        self, kind: Kind, at: datetime, items: Sequence[Item], eid: bytes | None = None
    ) -> bytes:
        """Add one event for many messages; items stand by leaf and position, not in a trail."""
        event = Event(
            kind=kind,
            actor=Actor.SYSTEM,
            at=at,
            eid=eid or secrets.token_bytes(16),
            items=items,
        )
        self._drafts.append(draft(event, self._vault, self._log.node))
        return event.eid

    async def stage(self, connection: AsyncConnection) -> None:
        """Write the events and the new places; the last thing in a transaction."""
        if self._taken or self._news:
            if self._keys is None:
                raise ValueError("whoever does what others must hear of gives the keys of rows")
            await taken_away.add(connection, self._keys, self._taken)
            await feed.add(connection, self._keys, self._news)
        await gates.advance(connection, [self._places[subject] for subject in sorted(self._moved)])
        # The log draws its numbers here, with every lock held: so events about one person stand in
        # the order in which their gate was taken.
        await self._log.stage(connection, self._drafts)


def _purpose(evidence: Proof) -> str | None:
    """What somebody took back; None: of all purposes."""
    return evidence.purpose if isinstance(evidence, TakenBack) else None
