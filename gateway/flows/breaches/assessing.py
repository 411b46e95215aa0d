"""A breach is assessed: whose data was in reach of what was taken, told in the log first.

Counts alone, by the database: nobody is opened, so that it takes a minute of a million people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import takers
from audit.entry import Event, draft, format_moment
from audit.kinds import Actor, Kind
from audit.log import Log, Logged
from audit.takers import Taker
from consent import affected, deadlines
from consent.affected import Affected
from consent.deadlines import Calendar
from consent.keys import epochs, ledger, sets
from consent.keys.epochs import Epoch, EpochState
from consent.keys.ledger import Erased
from consent.keys.sets import SetKey
from delivery import overview
from gateway.flows.breaches import readable
from gateway.flows.breaches.readable import (
    Concerned,
    Finding,
    KeyLife,
    KeyLives,
    Reach,
    Store,
    Taken,
)
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

KEK: Final = "kek"
HASHING: Final = ("lookup", "suppression", "marks")
_MOST_ROTATIONS: Final = 10_000
Begun = Mapping[tuple[str, int], datetime]  # when a key was announced, by kind and number


@dataclass(frozen=True, slots=True)
class Question:
    """What was taken in which time, since when one knows of it, and under which file number."""

    taken: Sequence[Taken]
    since: datetime
    until: datetime
    known_at: datetime
    case: str


@dataclass(frozen=True, slots=True)
class People:
    """How many are concerned: as they stand now, and who was erased since."""

    concerned: Concerned
    counted: Affected
    erased: Erased  # since the copy was made
    messages: int

    @property
    def everybody(self) -> int:
        """Who stands there now, and of whom nothing does any more."""
        return self.counted.everybody + self.erased.gone


@dataclass(frozen=True, slots=True)
class Assessment:
    """What was in reach, of whom, and by when it must be told."""

    question: Question
    made_at: datetime
    due_at: datetime
    findings: Sequence[Finding]
    missing: Sequence[Store]  # what would open the rest
    inside: People | None  # of whom anything was taken, readable or not
    readable: People | None  # whose sealed data opens
    takers: Sequence[Taker]

    @property
    def reach(self) -> Reach:
        return readable.furthest(self.findings)


@dataclass(frozen=True, slots=True)
class Breaches:
    """Assesses breaches; *guard_apart*: the guard has a store of its own."""

    data: Database
    keys: Database
    rows: RowKeys
    log: Log
    clock: Clock
    calendar: Calendar
    guard_apart: bool

    async def assess(self, asked: Question, operator: str | None = None) -> Assessment:
        """Work it out and tell the log of it; *operator* is who asked at the desk."""
        taken = list(dict.fromkeys(self._with_guard(asked.taken)))  # who named the guard, too
        lives = await self._lives()
        whose, whose_opens = readable.people_in(taken), readable.readable_people(taken, lives)
        inside = await self._people(whose)
        # Each count goes through whole tables: the same people are not counted twice.
        opened = inside if whose_opens == whose else await self._people(whose_opens)
        async with self.data.snapshot() as connection:
            taking = await takers.between(connection, self.log.macs, asked.since, asked.until)
        async with self.data.begin() as connection:
            now = await self._tell(connection, asked, operator)
        return Assessment(
            replace(asked, taken=taken),
            now,
            deadlines.due_by_hours(asked.known_at, self.calendar),
            readable.decide(taken, lives),
            readable.missing(taken, lives),
            inside,
            opened,
            taking,
        )

    def _with_guard(self, taken: Iterable[Taken]) -> Iterable[Taken]:
        """Where the guard lives with the key store, whoever took that has both."""
        for one in taken:
            yield one
            if one.store is Store.KEYSTORE and not self.guard_apart:
                yield replace(one, store=Store.GUARD)

    async def _lives(self) -> KeyLives:
        async with self.keys.read() as connection:
            kept = await epochs.standing(connection, self.rows)
            hashing = await sets.standing(connection, self.rows)
        async with self.data.read() as connection:
            told = await self.log.events(connection, kind=Kind.KEY_ROTATED, limit=_MOST_ROTATIONS)
        return lives(kept, hashing.keys, begun(told))

    async def _people(self, concerned: Concerned | None) -> People | None:
        if concerned is None:
            return None
        async with self.data.snapshot() as connection:
            counted = await affected.count(connection, concerned.until)
            messages = await overview.accepted_until(connection, concerned.until)
        async with self.keys.read() as connection:
            gone = await ledger.erased_since(connection, concerned.since)
        return People(concerned, counted, gone, messages)

    async def _tell(
        self, connection: AsyncConnection, asked: Question, operator: str | None
    ) -> datetime:
        now = await self.clock.now(connection)
        said = {"operator": operator, "case": asked.case, "taken": in_refs(asked.taken)}
        times = {"since": format_moment(asked.since), "until": format_moment(asked.until)}
        refs = {name: value for name, value in (said | times).items() if value}
        event = Event(Kind.BREACH_ASSESSED, Actor.OPERATOR, now, refs=refs)
        await self.log.stage(connection, [draft(event, None, self.log.node)])
        return now


def in_refs(taken: Iterable[Taken]) -> str:
    """Which stores, as an entry of the log has it."""
    return "+".join(dict.fromkeys(str(one.store) for one in taken))


def begun(told: Iterable[Logged]) -> Begun:
    """When each key was begun, by what the log tells of rotations."""
    found: dict[tuple[str, int], datetime] = {}
    for one in told:
        refs = one.entry.refs
        if "kind" in refs and refs.get("number", "").isdecimal():
            found.setdefault((refs["kind"], int(refs["number"])), one.entry.at)
    return found


def lives(kept: Iterable[Epoch], hashing: Sequence[SetKey], told: Begun) -> KeyLives:
    """The lives of keys, as the key store has them; what no gateway wrote has no bounds.

    Of a kind of which nothing stands there, the first key was never followed.
    """
    found = [
        KeyLife(key.name.number, _since(told, *key.name), key.renewed_at, key.released_at)
        for key in hashing
        if key.name.kind in HASHING
    ]
    known = {key.name.kind for key in hashing}
    first = [KeyLife(1) for kind in HASHING if kind not in known]
    return KeyLives([life for one in kept if (life := _life(one, told))], [*found, *first])


def _life(one: Epoch, told: Begun) -> KeyLife | None:
    """None for an epoch that never wrapped anything."""
    if not one.honest:
        return KeyLife(one.epoch)
    given_up = one.state is EpochState.DESTROYED and one.rewrapped_at is None
    if one.state is EpochState.ANNOUNCED or given_up:
        return None
    return KeyLife(one.epoch, _since(told, KEK, one.epoch), one.rewrapped_at, one.released_at)


def _since(told: Begun, kind: str, number: int) -> datetime | None:
    return told.get((kind, number)) if number > 1 else None
