"""Nothing is kept longer than its reason: rules that run by themselves, in small batches.

What is due is decided by pure functions (`consent.retention`, `delivery.retention`)
from rows that were read under their locks. A rule that was interrupted is
simply run again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.trail import Told
from consent import (
    address_links,
    erasures,
    external_ids,
    feed,
    gates,
    history,
    holds,
    intakes,
    rights_requests,
    tellings,
)
from consent import retention as consent_rules
from consent.consents import Consent, Deadline, Page
from consent.gates import Gate
from consent.lookup import LookUp
from consent.model import State, SubjectState
from consent.rights import undecided
from consent.trail import Trail
from delivery import campaigns as of_campaigns
from delivery import retention as delivery_rules
from delivery.retention import Need, OldPermit
from gateway.callers import operators
from gateway.flows.bad_rows import each_for_itself, put_aside
from gateway.flows.desk.staff import Staff
from gateway.flows.keeping import proofs
from gateway.flows.keeping.walk import Walk, stroll
from gateway.flows.rights import erasing
from gateway.flows.rights.erasing import Erasing
from gateway.parts import Parts
from gateway.watch.stuck import Why
from storage.locks import oldest_open

log = structlog.get_logger()

_AT_ONCE = 200
_PERSON = "subject"
_KEYS_EVERY = timedelta(days=1)

T = TypeVar("T")
Drop = Callable[[AsyncConnection, datetime, int], Awaitable[int]]


class RetentionRules:
    """The rules of one process and how far their walks have come."""

    def __init__(self, parts: Parts) -> None:
        kept = parts.config.retention
        self._parts = parts
        self._eraser = Erasing(parts)
        self._periods = self._eraser.periods
        self._people: Mapping[Deadline, tuple[timedelta, Walk[tuple[datetime, str]]]] = {
            Deadline.REQUEST: (kept.unconfirmed, Walk(_AT_ONCE)),
            Deadline.EVIDENCE: (kept.evidence_after_withdrawal, Walk(_AT_ONCE)),
        }
        self._permits: Walk[str] = Walk(_AT_ONCE)
        self._erasing: Walk[str] = Walk(_AT_ONCE)
        self._requests: Walk[str] = Walk(_AT_ONCE)
        self._locked: Walk[str] = Walk(_AT_ONCE)
        self._called: Walk[str] = Walk(_AT_ONCE)
        self._facts = proofs.MailFacts(
            parts.data, parts.keystore.vault, parts.clock, parts.log, parts.rows, kept.messages
        )
        self._keys_at: datetime | None = None

    def rules(self) -> Mapping[str, Callable[[], Awaitable[int]]]:
        """Each rule by what it is about; it returns how much it did."""
        return {
            "bodies": self.bodies,
            "messages": self.messages,
            "campaigns": self.campaigns,
            "permits": self.permits,
            "people": self.people,
            "erasures": self.erasures,
            "locked evidence": self.locked_evidence,
            "requests": self.requests,
            "keys": self.keys,
            "marks": self.marks,
            "facts": self._facts.run,
            "takings away": self.takings_away,
            "changes": self.changes,
            "external ids": self.external_ids,
            "staff": self.staff,
        }

    async def bodies(self) -> int:
        """Contents and reply texts, `message_bodies` after a message ended."""
        return await self._drop(
            delivery_rules.drop_bodies, self._parts.config.retention.message_bodies
        )

    async def messages(self) -> int:
        """What became of a message, `messages` after it ended."""
        return await self._drop(delivery_rules.drop_ended, self._parts.config.retention.messages)

    async def campaigns(self) -> int:
        """What a campaign said, as other contents; what became of it, as that of its messages."""
        kept = self._parts.config.retention
        contents = await self._drop(of_campaigns.drop_contents, kept.message_bodies)
        return contents + await self._drop(of_campaigns.drop_ended, kept.messages)

    async def _drop(self, drop: Drop, kept: timedelta) -> int:
        async with self._parts.data.begin() as connection:
            now = await self._parts.clock.now(connection)
            return await drop(connection, now - kept, _AT_ONCE)

    async def permits(self) -> int:
        """Permits whose message is gone, as soon as neither a cap nor `unused_after` needs them."""
        return await stroll(self._permits, self._permits_page)

    async def _permits_page(self) -> int:
        parts, walk = self._parts, self._permits
        needs = {
            name: Need(
                purpose.at_most.window if purpose.at_most else timedelta(),
                purpose.unused_after or _NONE,
            )
            for name, purpose in parts.config.purposes.items()
        }
        async with parts.data.read() as connection:
            now = await parts.clock.now(connection)
            before = now - parts.config.retention.messages
            page = await delivery_rules.old_permits(connection, walk.after, before, walk.limit)
            named = await parts.consents.get(connection, {permit.ground for permit in page})
        # Of one that ended, nobody asks any more when it was used.
        stand = {c.id for c in named.values() if c.state is State.CONFIRMED or not c.honest}
        walk.move([permit.id for permit in page])

        async def drop(some: Sequence[OldPermit]) -> int:
            gone = [
                permit
                for permit in some
                if delivery_rules.spare(
                    permit, needs.get(permit.purpose, Need()), now, stands=permit.ground in stand
                )
            ]
            return await self._facts.with_permits(gone) if gone else 0

        return await self._each("permit", {permit.id: permit for permit in page}, drop)

    async def _each(
        self, table: str, rows: Mapping[str, T], work: Callable[[Sequence[T]], Awaitable[int]]
    ) -> int:
        parts = self._parts
        return sum(await each_for_itself(parts.data, parts.clock, table, rows, work))

    async def people(self) -> int:
        """Consents whose own time is over, and people of whom no proof must be kept any more."""
        return sum(
            [
                await stroll(walk, partial(self._people_by, what))
                for what, (_, walk) in self._people.items()
            ]
        )

    async def _people_by(self, what: Deadline) -> int:
        parts, (kept, walk) = self._parts, self._people[what]
        async with parts.data.read() as connection:
            before = await parts.clock.now(connection) - kept
            page = Page(walk.limit, walk.after)
            due = await parts.consents.due(connection, what, before, page)
        walk.move([candidate.key for candidate in due])
        subjects = sorted({candidate.subject for candidate in due})
        return await self._each(_PERSON, {one: one for one in subjects}, self._forget)

    async def _forget(self, subjects: Sequence[str]) -> int:
        parts = self._parts
        # Before the gates are held: what is of a consent is known from what the log says of it.
        vault = await parts.keystore.vault(subjects)
        async with parts.data.begin() as connection:
            # Decided anew under the gates: a sign-up may have given a reason to know them.
            held = await gates.lock(connection, subjects)
            consents = await parts.consents.of_subjects(connection, held)
            now = await parts.clock.now(connection)
            # Who is asking again just now is not forgotten, and nothing of it ended.
            again = await _asking_again(connection, parts.lookup, held)
            rows = [consent for theirs in consents.values() for consent in theirs]
            # What is locked ends by a rule of its own, and unread.
            here = {one: gate for one, gate in held.items() if not gate.gone(parts.rows)}
            told = await history.read(connection, parts.log.macs, here, vault, rows)
            # A dispute needs what would go, also where nobody asked to be erased.
            known = {one: told[one].told if one in told else [] for one in held}
            # Nor who waits for an answer, of which what is kept of them is the matter. By the log:
            # a row that was put back keeps nobody, and one that is away lets nobody go.
            again |= {one for one in held if undecided(event.entry for event in known[one])}
            kept = await holds.held_back(connection, parts.rows, parts.log.macs, known, now)
            kept |= {one.subject for one in await holds.of_subjects(connection, parts.rows, held)}
            whole, stuck = [], {}
            over: dict[str, Sequence[Consent]] = {}
            standing: dict[str, set[str]] = {}
            for subject, gate in held.items():
                if subject in kept or not gate.is_honest(parts.rows):
                    continue  # a stop may have been taken away that is a reason to know them
                theirs = consents.get(subject, [])
                everything, going = self._over(gate, known[subject], theirs, now)
                if going and gate.live and subject not in told:
                    stuck[subject] = Why.KEY_MISSING  # nothing tells what else they agreed to
                elif going and not told[subject].vouches_for_all(theirs):
                    # A reason to know them may be away, or an old row stand in its place.
                    stuck[subject] = Why.ALTERED
                elif everything:
                    whole += [] if subject in again else [subject]
                else:
                    over[subject] = going
                    standing[subject] = {one.id for one in theirs} - {one.id for one in going}
            await put_aside(connection, _PERSON, stuck, now)
            trail = Trail(parts.log, vault, held)
            ended = await proofs.end(connection, trail, vault, over, standing, now)
            await trail.stage(connection)
            leaving = [held[subject] for subject in whole]
            await erasing.begin(parts.log, connection, parts.rows, parts.lookup, None, leaving, now)
        # Only once that is committed: keys destroyed for a change that is rolled back would leave
        # live people whom nobody can read.
        if whole:
            await self._eraser.finish(whole)
        return len(whole) + ended

    def _over(
        self, gate: Gate, told: Sequence[Told], consents: Sequence[Consent], now: datetime
    ) -> tuple[bool, Sequence[Consent]]:
        """Whether the whole person is to be forgotten, and which of their consents go."""
        known = erasing.person_of(gate, self._parts.rows, told)
        if consent_rules.whole(known, consents, self._periods, now):
            return True, consents
        return False, consent_rules.ended(known, consents, self._periods, now)

    async def erasures(self) -> int:
        """Erasures that a crash, a key store that was away or a mail under way left unfinished.

        Only those that a gateway began: keys that a planted row destroyed would not come back.
        """
        parts, walk = self._parts, self._erasing
        async with parts.data.read() as connection:
            page = await gates.in_state(connection, SubjectState.ERASING, walk.after, walk.limit)
        walk.move([gate.subject for gate in page])
        begun = {gate.subject: gate.subject for gate in page if gate.gone(parts.rows)}
        done = await self._each(_PERSON, begun, self._finish)
        return done + await self._put_back()

    async def _put_back(self) -> int:
        """Erasures that somebody asked for, and whose person's row says nothing of it any more."""
        parts, walk = self._parts, self._requests
        async with parts.data.read() as connection:
            page = await erasures.under_way(connection, parts.rows, walk.after, walk.limit)
            asked = {one.subject for _, one in page if one is not None}
            known = await gates.peek(connection, asked)
        walk.move([name for name, _ in page])
        back = {one: one for one, gate in known.items() if not gate.gone(parts.rows)}
        return await self._each(_PERSON, back, self._eraser.begin_again)

    async def locked_evidence(self) -> int:
        """What stayed of people who were erased, from the date on that was told to them."""
        return await stroll(self._locked, self._locked_page)

    async def _locked_page(self) -> int:
        parts, walk = self._parts, self._locked
        async with parts.data.read() as connection:
            page = await gates.in_state(connection, SubjectState.ERASED, walk.after, walk.limit)
            now = await parts.clock.now(connection)
            known = {gate.subject: gate for gate in page if gate.gone(parts.rows)}
            ends = await erasing.ends_of(connection, parts.rows, known, now)
        walk.move([gate.subject for gate in page])
        over = {one: one for one in known if one not in ends.locked}
        return await self._each(_PERSON, over, self._finish)

    async def requests(self) -> int:
        """That somebody asked to be erased, its term after nothing of them was left.

        What else was asked by right, its term after it was decided.
        """
        async with self._parts.data.begin() as connection:
            now = await self._parts.clock.now(connection)
            before = now - self._parts.config.retention.rights_requests
            return await erasures.purge(connection, before) + await rights_requests.purge(
                connection, before
            )

    async def _finish(self, subjects: Sequence[str]) -> int:
        return await self._eraser.finish(subjects)

    async def keys(self) -> int:
        """Data keys that no person names, once a day.

        Every sign-up makes some, whether or not the address was known.
        """
        parts = self._parts
        now = parts.clock.wall()
        # A last time that is yet to come is from a clock that ran ahead.
        if self._keys_at is not None and self._keys_at <= now < self._keys_at + _KEYS_EVERY:
            return 0
        self._keys_at = now

        async def named(subjects: Sequence[str]) -> set[str]:
            # Must raise where the data is away: whoever is not named loses their keys for good.
            async with parts.data.read() as connection:
                people = await gates.named(connection, subjects)
                return people | await operators.named(connection, subjects)

        return await parts.keystore.sweep(named, now)

    async def takings_away(self) -> int:
        """In the guard's store: what people took away before any backup that is still kept."""
        parts = self._parts
        return await parts.takings.purge(parts.clock, parts.config.retention.takings_away)

    async def staff(self) -> int:
        """Who an operator was, its term after they were revoked."""
        parts = self._parts
        staff = Staff(parts.data, parts.keystore, parts.clock, parts.log, parts.rows)
        return await staff.forget(parts.config.retention.staff)

    async def changes(self) -> int:
        """What happened, a month; that others were told what they are owed, as proof, longer."""
        parts = self._parts
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            given_up = await tellings.give_up(connection, parts.rows, now, _AT_ONCE)
            gone = await feed.purge(connection, now)
            proof = parts.config.retention.rights_requests
            gone += await tellings.purge(connection, now, proof)
        if given_up:
            log.error("tellings_given_up", rows=given_up)
        return given_up + gone

    async def external_ids(self) -> int:
        """What callers call people, a month after what it came with ended."""
        return await stroll(self._called, self._external_ids_page)

    async def _external_ids_page(self) -> int:
        parts, walk = self._parts, self._called
        async with parts.data.read() as connection:
            page = await external_ids.next_page(connection, walk.after, walk.limit)
        walk.move(page)
        if not page:
            return 0
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            return await external_ids.purge(connection, page, now)

    async def marks(self) -> int:
        """Marks of who left, as soon as nothing waits that was received before."""
        parts = self._parts
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            # Before those that wait are read: what is not committed yet was received before that.
            open_since = await oldest_open(connection)
            received = await intakes.oldest_received(connection)
            asking = await address_links.asking_since(connection, now)
            waiting = (open_since, received, asking)
            oldest = min((one for one in waiting if one is not None), default=None)
            return await parts.marks.drop(connection, oldest, now, _AT_ONCE)


async def _asking_again(
    connection: AsyncConnection, lookup: LookUp, subjects: Collection[str]
) -> set[str]:
    """Those for whose address something waits."""
    names = await lookup.of(connection, subjects)
    indexes = {index for theirs in names.values() for index in theirs.hashes}
    waiting = await intakes.asking_again(connection, indexes)
    return {subject for subject, theirs in names.items() if waiting.intersection(theirs.hashes)}


_NONE = timedelta()
