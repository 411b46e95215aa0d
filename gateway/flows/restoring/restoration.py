"""Bringing a gateway in order whose stores were put back from backups: one step after another.

Every step may be repeated, and what shows that a store is an older one goes last: the log's
successor, which the guard has heard of before anything else, or the keys that were missing.
So whoever is killed in between runs the same again, and until then nothing starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from audit.entry import Event, draft
from audit.gaps import Gap
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.publish import Publisher
from audit.seen import Seen
from audit.successor import Opening
from consent import restored as requests
from consent import taken_away
from consent.restored import Dropped
from delivery.outbox import Status
from delivery.restored import RESTORED
from gateway.flows.desk.staff import Staff
from gateway.flows.restoring import campaigns, ending, older, replay, signs
from gateway.flows.restoring.brought_back import Keys
from gateway.flows.restoring.high_water import HighWater
from gateway.flows.restoring.replay import Acts, Replayed
from gateway.flows.restoring.signs import Restored
from gateway.flows.rights.erasing import Erasing
from gateway.watch.marketing import HELD, Period
from storage.database import Database
from storage.honesty import RowKeys
from storage.types import NO_MOMENT

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What was put back, and the time from the last that is known of it until now."""

    restored: Restored
    period: Period
    reaches: bool  # whatever was taken away in that time is known
    seen: Seen | None = None  # what this machine saw published last


@dataclass
class Done:
    """What a restore came to."""

    replayed: Replayed = field(default_factory=Replayed)
    dropped: Dropped = field(default_factory=Dropped)
    operators: int = 0  # who were revoked: whoever was since would stand again
    ended: Mapping[Status, int] = field(default_factory=dict)
    destroyed: int = 0  # people whose keys were destroyed again
    erased: int = 0  # people whom only the ledger told of
    keyless: int = 0
    damaged: int = 0  # people who lack some keys, and stay; a verification names them
    lost: Sequence[Gap] = ()

    def refs(self, found: Found) -> dict[str, str]:
        """For the event that tells of it."""
        counts = {
            "withdrawals": self.replayed.withdrawals,
            "objections": self.replayed.objections,
            "restrictions": self.replayed.restrictions,
            "not_here": self.replayed.strangers,
            "requests": self.dropped.intake,
            "links": self.dropped.links,
            "sessions": self.dropped.sessions,
            "operators": self.operators,
            "uncertain": self.ended.get(Status.UNCERTAIN, 0),
            "cancelled": self.ended.get(Status.CANCELLED, 0),
            "keyless": self.keyless,
            "damaged": self.damaged,
        }
        stores = "+".join(name.replace(" ", "_") for name in found.restored.names)
        held = "no" if found.reaches else "yes"
        said = {"stores": stores, HELD: held, **found.period.refs}
        return said | {name: str(count) for name, count in counts.items() if count}


async def look(erasing: Erasing, *, declared: bool) -> Found:
    """Find out what was put back; changes nothing."""
    parts = erasing.parts
    data, guard, log = parts.data, parts.guard, parts.log
    facts, last = await older.of_log(data, guard, log, parts.publisher.verifier)
    keyless = await older.keyless(data, parts.keystore, parts.rows, parts.clock)
    unledgered = await older.unledgered(data, guard, parts.keystore, parts.rows)
    seen = HighWater(parts.config.delivery.journal_dir, parts.publisher, parts.rows).newest()
    facts = signs.with_seen(facts, seen)
    facts = signs.with_keys(facts, keyless=keyless, unledgered=unledgered, declared=declared)
    restored = signs.judge(facts)
    async with data.read() as connection:
        now = await parts.clock.now(connection)
    since = last or NO_MOMENT
    async with guard.read() as connection:
        reach = await taken_away.reach(connection, parts.rows)
    known = reach is None or reach <= since
    return Found(restored, Period(since, now), signs.reaches(known, restored), seen)


async def count(erasing: Erasing) -> tuple[dict[str, int], int]:
    """What would be taken away again, by kind, and how much of who is not here."""
    parts = erasing.parts
    kinds: dict[str, int] = {}
    strangers = 0
    async for page in replay.unheard(parts.data, parts.guard, parts.rows, parts.log):
        for word, here in page:
            if here:
                kinds[word.kind] = kinds.get(word.kind, 0) + 1
            else:
                strangers += 1
    return kinds, strangers


@dataclass(frozen=True, slots=True)
class Restoration:
    """The steps, for one gateway whose processes are all stopped."""

    erasing: Erasing
    acts: Acts
    opening: Opening

    async def carry_out(self, found: Found, tell: Tell) -> Done:
        """Do all of it; *tell* hears of each step."""
        parts, done = self.erasing.parts, Done()
        if found.restored.guard:
            # Before anything shows that somebody was at it: whoever runs it again after a kill
            # need not know, nor say again, that the guard was older too.
            await _reach_no_further(parts.guard, parts.rows, found.period.until)
        successor = await self.opening.begin() if found.restored.closes else None
        await self._drop(found.restored, done, tell)
        tell("what was taken away since")
        done.replayed = await replay.replay(
            parts.data, parts.guard, parts.rows, parts.log, self.acts
        )
        tell("everybody's keys")
        keys = Keys(self.erasing, self.acts.erasures)
        apart = await keys.apart(lambda looked: None)
        done.erased, done.keyless = len(apart.erased), len(apart.keyless)
        done.damaged = apart.damaged
        events = self._events(found, done)
        if successor is None:
            await self._stage(events)
        done.destroyed = await keys.destroy_again()
        await keys.bring_together(apart)
        if found.restored.keys and not found.restored.data:
            await keys.sweep()
        tell("the log")
        if successor is not None:
            done.lost = await self.opening.end(successor, found.restored.cause, events)
        await self._publish(successor or parts.log)
        return done

    async def _drop(self, restored: Restored, done: Done, tell: Tell) -> None:
        parts = self.erasing.parts
        tell("requests, links, sessions, messages")
        staff = Staff(parts.data, parts.keystore, parts.clock, parts.log, parts.rows)
        if restored.keys:
            done.operators += await staff.forget_unreadable()
        if restored.data:
            done.ended = await ending.end_all(
                parts.data, parts.keystore, parts.clock, parts.rows, parts.log
            )
            await campaigns.end_all(parts.data, parts.clock, parts.rows, parts.log)
            # Who was revoked since would sit at the desk again, and nobody knows of it.
            done.operators += await staff.revoke_all(RESTORED)
            async with parts.data.begin() as connection:
                done.dropped = await requests.drop(connection)
        elif restored.keys:
            known = await Keys(self.erasing, self.acts.erasures).intake_keys()
            async with parts.data.begin() as connection:
                done.dropped = Dropped(await requests.drop_unreadable(connection, known))

    def _events(self, found: Found, done: Done) -> list[Event]:
        now, erased = found.period.until, done.replayed.erasures + done.erased
        said = [Event(Kind.BACKUP_RESTORED, Actor.OPERATOR, now, refs=done.refs(found))]
        if erased:
            refs = {"count": str(erased)}
            said.append(Event(Kind.ERASURE_REPLAYED, Actor.OPERATOR, now, refs=refs))
        return said

    async def _stage(self, events: Sequence[Event]) -> None:
        parts = self.erasing.parts
        async with parts.data.begin() as connection:
            drafts = [draft(event, None, parts.log.node) for event in events]
            await parts.log.stage(connection, drafts)

    async def _publish(self, log: Log) -> None:
        parts = self.erasing.parts
        more: int | None = 1
        while more:
            async with parts.data.begin() as connection:
                now = await parts.clock.now(connection)
                more = await log.sequence(connection, now=now)
        publisher = Publisher(log, parts.publisher.signers)
        await publisher.publish(parts.data, parts.guard, parts.clock)


async def _reach_no_further(guard: Database, keys: RowKeys, until: datetime) -> None:
    async with guard.begin() as connection:
        await taken_away.reach_no_further(connection, keys, until)
