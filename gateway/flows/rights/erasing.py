"""The end of a person here: data lets go, keys are destroyed, rows are deleted.

Three steps, each safe to repeat, each leaving the next to whoever comes after a
crash. Once the keys are gone nothing that is left of the person can be read. What
proves their consents may be kept apart for a time, under a key of its own: it
goes the same way on its date.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import forgetting, histories, strays
from audit.counted import Counted
from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import LetGo, Log
from audit.trail import Told
from consent import (
    erasures,
    feed,
    gates,
    leavings,
    people,
    rights_requests,
    shares,
    stops,
    taken_away,
)
from consent import going as going_note
from consent.erasures import Erasure, Stage
from consent.gates import Gate
from consent.keys.vault import OF_PEOPLE, Compartment
from consent.lookup import LookUp
from consent.marks import Left, Marks
from consent.model import SubjectState
from consent.retention import Periods, Person
from consent.rights import KINDS, Progress, Right, RightsRequest
from consent.taken_away import TakingAway
from delivery import retention
from gateway.callers import desk_exports
from gateway.config.config import Retention
from gateway.flows.bad_rows import put_aside
from gateway.parts import Parts
from gateway.watch.stuck import Why
from storage.honesty import RowKeys

logger = structlog.get_logger()

ALTERED = "altered"  # in `refs`: how many rows of the person no gateway wrote as they stood
_NOT_LOCKED = frozenset(OF_PEOPLE) - {Compartment.EVIDENCE}
_PAUSES = (0.05, 0.2)  # seconds


async def begin(
    log: Log,
    connection: AsyncConnection,
    keys: RowKeys,
    lookup: LookUp,
    marks: Marks | None,
    held: Collection[Gate],
    now: datetime,
    *,
    asked: Mapping[str, Erasure] | None = None,
    altered: int = 0,
    by: Mapping[str, str] | None = None,
) -> None:
    """First step, under their gates; stages its events, so it is the last in its transaction.

    From its commit on nobody finds them by their address or mails them, and
    nobody comes to be known by what was asked for in their name before: for that
    give *marks*, but not where they did not end it, who may be asking again. What
    somebody *asked* for is kept beside it, by whose it is; rows of theirs that were found
    *altered* beside their own go with it, and are named by it. *by* names who passed it on.
    """
    # Who signs up again is somebody new, with new keys.
    names = await lookup.forget(connection, [gate.subject for gate in held])
    if marks is not None:
        left = [Left(index, None) for theirs in names.values() for index in theirs.hashes]
        await marks.add(connection, left, now)
    strange = {gate.subject: altered + (not gate.is_honest(keys)) for gate in held}
    await gates.begin_erasure(connection, keys, held, asked or {})
    events = await _end_requests(log, connection, keys, held, asked or {}, now)
    said = []
    for gate in held:
        request = (asked or {}).get(gate.subject)
        # From here on a gateway's row stands there, and then none: only the log can tell of it.
        found = {ALTERED: str(strange[gate.subject])} if strange[gate.subject] else {}
        event = _event(Kind.SUBJECT_ERASURE_STARTED, now, _named(request) | found | dict(by or {}))
        if found and request is not None:
            await put_aside(connection, erasures.TABLE, {request.id: Why.ALTERED}, now)
        if request is not None:
            await erasures.add(connection, keys, replace(request, eid=event.eid))
        events.append(event)
        said.append(_taken_away(event, gate.subject, request))
    await taken_away.add(connection, keys, said)
    await _stage(log, connection, events)


def _taken_away(event: Event, subject: str, request: Erasure | None) -> TakingAway:
    """For the guard's store: what was asked for, with what the person is told of it."""
    said = (None, None) if request is None else (request.id, request.locked_until)
    return TakingAway(event.eid, subject, None, event.kind, event.at, *said)


async def _end_requests(
    log: Log,
    connection: AsyncConnection,
    keys: RowKeys,
    held: Collection[Gate],
    asked: Container[str],
    now: datetime,
) -> list[Event]:
    """What they asked for by right and nobody decided: soon nobody is left to be answered.

    That they be forgotten is answered by it, where it was *asked* for.
    """
    events = []
    for one in await waiting_of(log, connection, keys, [gate.subject for gate in held]):
        answered = one.right is Right.ERASURE and one.subject in asked
        kind = Kind.RIGHTS_ANSWERED if answered else Kind.RIGHTS_ENDED
        event = _event(kind, now, {"request": one.id})
        progress = Progress.ANSWERED if answered else Progress.ENDED
        ended = one.decided(progress, one.reason, event.eid, now)
        await rights_requests.restate(connection, keys, ended)
        events.append(event)
    return events


async def waiting_of(
    log: Log, connection: AsyncConnection, keys: RowKeys, subjects: Sequence[str]
) -> list[RightsRequest]:
    """What these people, whose gates are held, asked for by right and wait for; asks for no key.

    Without old rows that were put back: deciding them again would write the event that
    makes them fit.
    """
    waiting = await rights_requests.waiting_of(connection, keys, subjects)
    if not waiting:
        return []
    last = await histories.last_named(connection, log.macs, subjects, KINDS, "request")
    return [one for one in waiting if last.get(one.id, one.eid) == one.eid]


@dataclass(frozen=True, slots=True)
class Ends:
    """What was asked for, and of whom something stays for now."""

    requests: Mapping[str, Erasure]
    locked: frozenset[str]  # who is missing is let go of whole


async def ends_of(
    connection: AsyncConnection, keys: RowKeys, held: Mapping[str, Gate], now: datetime
) -> Ends:
    """What the person was told holds, whatever the terms are now.

    Whom the rules on keeping let go has no request, and nothing that stays. Of who was
    erased before, one that is missing was deleted: then what is locked stays until
    somebody looked, for a key that is destroyed does not come back.
    """
    found = await erasures.of_subjects(connection, keys, held)
    # Of who is being erased it is an old row that was put back, and says nothing of what stays.
    requests = {one: of for one, of in found.items() if of.state is not Stage.HELD}

    def is_locked(gate: Gate) -> bool:
        request = requests.get(gate.subject)
        if request is None:
            return _is_erased(gate) or gate.suppressed == gates.ASKED
        return request.locked_until is not None and request.locked_until > now

    return Ends(requests, frozenset(one for one, gate in held.items() if is_locked(gate)))


def person_of(gate: Gate, keys: RowKeys, told: Iterable[Told]) -> Person:
    """What the rules on keeping need to know of somebody: what a gateway wrote of them.

    Where somebody else wrote their row, it is what the log *told* of their objection:
    one that was planted would keep what they want forgotten, and one that was altered
    would have them asked again.
    """
    if gate.is_honest(keys):
        return Person(gate.state, gate.restricted_at is not None, gate.objected_at)
    return Person(gate.state, restricted=False, objected_at=stops.objected_at(told))


def periods_of(kept: Retention) -> Periods:
    """The terms of the configuration."""
    return Periods(kept.unconfirmed, kept.evidence_after_withdrawal)


class Erasing:
    """The second and the third step, for people whose erasure `begin` began."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.periods = periods_of(parts.config.retention)

    async def finish(self, subjects: Sequence[str]) -> int:
        """Destroy their keys, then their rows; returns how many are done.

        Of a person whose message is just being sent only the keys go now. Locked
        evidence stays until its date; called again after it, this ends that too.
        """
        parts = self.parts
        async with parts.data.read() as connection:
            now = await parts.clock.now(connection)
            known = await gates.peek(connection, subjects)
            ends = await ends_of(connection, parts.rows, known, now)
        busy = await self._count(set(subjects) - ends.locked)
        for pause in _PAUSES:
            if not busy:
                break
            # Whoever asked about them is done in a moment; a duty comes only in ten minutes.
            await asyncio.sleep(pause)
            busy = await self._count(busy)
        free = [one for one in subjects if one not in busy]
        whole = await self._destroy(free, ends)
        if not await parts.key_database.empty_wal():
            return 0  # the wrapped keys are still in the log file; nothing else goes before them
        gone = await self._remove(free, whole, ends)
        # Not waited for: what is left of the rows in it is sealed, and nobody has the keys.
        await parts.data.empty_wal()
        return gone

    async def begin_again(self, subjects: Sequence[str]) -> int:
        """Go on with people who asked to be forgotten and whose row is that of before.

        Somebody put it back. They were told that they are forgotten, so they are.
        """
        parts = self.parts
        async with parts.data.begin() as connection:
            held = await gates.lock(connection, subjects)
            now = await parts.clock.now(connection)
            asked = await erasures.of_subjects(connection, parts.rows, held)
            back = [
                gate
                for subject, gate in held.items()
                if subject in asked and asked[subject].is_under_way and not gate.gone(parts.rows)
            ]
            log, rows, lookup, marks = parts.log, parts.rows, parts.lookup, parts.marks
            await begin(log, connection, rows, lookup, marks, back, now, asked=asked)
        if back:
            logger.error("erasure_put_back", rows=len(back))
        return await self.finish([gate.subject for gate in back])

    async def _count(self, going: Collection[str]) -> set[str]:
        """Note which facts are theirs; returns of whom somebody may still be writing some.

        What stands under their names and is not theirs stays: a verification names it. Once
        their keys are gone nobody could tell.
        """
        vault, busy = await self.parts.keystore.vault(going), set()
        for subject in sorted(going):
            if not vault.has(subject, Compartment.EVIDENCE):
                continue
            async with self.parts.data.begin() as connection:
                gate = (await shares.free(connection, [subject])).get(subject)
                if gate is None:
                    busy.add(subject)
                    continue
                now = await self.parts.clock.now(connection)
                counted, aside = await strays.set_aside(connection, subject, vault, now)
                await going_note.note(connection, self.parts.rows, gate, counted.write())
            if aside:
                logger.error("facts_set_aside", rows=aside)
        return busy

    async def _destroy(self, subjects: Sequence[str], ends: Ends) -> frozenset[str]:
        """Second step; returns of whom every key is gone by now."""
        keystore, at = self.parts.keystore, self.parts.clock.wall()
        done, held = await keystore.erased(subjects), await keystore.held(subjects)

        def is_gone(subject: str, compartment: Compartment) -> bool:
            # The ledger alone may say what somebody wrote there, and keep a key alive.
            return (subject, compartment) in done and (subject, compartment) not in held

        # Its key gone, evidence is not locked any more, whatever a term says since.
        whole = {
            one for one in subjects if one not in ends.locked or is_gone(one, Compartment.EVIDENCE)
        }
        for theirs, compartments in (
            (whole, frozenset(OF_PEOPLE)),
            (ends.locked - whole, _NOT_LOCKED),
        ):
            left = [one for one in theirs if not all(is_gone(one, c) for c in compartments)]
            # Only those: each destruction also closes the intake key, and a person whose message
            # is under way comes here again and again.
            if left:
                await keystore.erase(left, compartments, at)
        return frozenset(whole)

    async def _remove(self, subjects: Sequence[str], whole: frozenset[str], ends: Ends) -> int:
        """Third step, for those who have no message under way, and of whom nobody writes now."""
        keys, log = self.parts.rows, self.parts.log
        async with self.parts.data.begin() as connection:
            # The queue before the gates, as a claim does: else the two could wait for each other.
            waiting = await retention.remove_of(connection, subjects)
            held = await shares.free(connection, set(subjects) - waiting)
            # What was handed in between those two goes the next time, together with its person.
            late = await retention.with_messages(connection, held)
            going = [
                gate
                for _, gate in sorted(held.items())
                if gate.subject not in late
                and gate.gone(keys)
                and (gate.subject in whole or not _is_erased(gate))
            ]
            now = await self.parts.clock.now(connection)
            events = []
            known = await self._known_to_others(connection, going, ends)
            await forgetting.lock_items(connection, [one.subject for one in going])
            for gate in going:
                let_go = await self._let_go(connection, gate, whole)
                request = ends.requests.get(gate.subject)
                # The counts tell a verification that nobody else deleted them.
                event = _event(_ended(gate), now, let_go | _named(request))
                if request is not None and not _is_erased(gate):
                    await erasures.finish(connection, keys, request, event.eid, now)
                events.append(event)
            staying = [gate for gate in going if gate.subject not in whole]
            left = [one.subject for one in going if one not in staying]
            await people.remove(connection, left)
            await rights_requests.forget_reasons(connection, keys, left)
            await desk_exports.let_go(connection, keys, [one.subject for one in going], now)
            await people.keep_evidence(connection, [gate.subject for gate in staying])
            await gates.end_erasure(connection, keys, staying)
            ended = zip(going, events, strict=True)
            await _tell(connection, keys, [pair for pair in ended if pair[0].subject in known])
            await feed.forget(connection, left)
            await _stage(log, connection, events)
        return len(events)

    async def _known_to_others(
        self, connection: AsyncConnection, going: Sequence[Gate], ends: Ends
    ) -> set[str]:
        """Of whom others may have heard: who asked to be forgotten, or ever agreed to anything.

        Who only was asked never was anybody's to tell of.
        """
        others = [one.subject for one in going if one.subject not in ends.requests]
        stored = await self.parts.consents.of_subjects(connection, others) if others else {}
        agreed = {who for who, rows in stored.items() if any(one.state.decided for one in rows)}
        return agreed | {one.subject for one in going if one.subject in ends.requests}

    async def _let_go(
        self, connection: AsyncConnection, gate: Gate, whole: Collection[str]
    ) -> dict[str, str]:
        """Delete the facts of somebody who goes *whole*, or what is not locked; how many."""
        keys, log = self.parts.rows, self.parts.log
        left = leavings.count(keys, [gate])
        if gate.subject not in whole:
            await forgetting.keep_evidence(connection, gate.subject)
            return LetGo(0, 0).refs | left
        noted = going_note.noted(keys, gate)
        counted = None if noted is None else Counted.read(noted)
        return (await forgetting.erase(connection, log, gate.subject, counted)).refs | left


def _is_erased(gate: Gate) -> bool:
    """Whether all but the locked evidence went before."""
    return gate.state is SubjectState.ERASED


def _ended(gate: Gate) -> Kind:
    """What its end is called in the log: of who was erased before, only the evidence goes now."""
    return Kind.EVIDENCE_ENDED if _is_erased(gate) else Kind.SUBJECT_ERASED


def _named(request: Erasure | None) -> dict[str, str]:
    return {} if request is None else {"erasure": request.id}


def _event(kind: Kind, now: datetime, refs: Mapping[str, str]) -> Event:
    """About nobody: who it was is what must not be known any more."""
    return Event(kind, Actor.SYSTEM, now, refs=refs)


async def _tell(
    connection: AsyncConnection, keys: RowKeys, ended: Iterable[tuple[Gate, Event]]
) -> None:
    """Whoever received their data is told that they were erased (Art. 19 GDPR)."""
    said = [feed.told_of(one.kind, one.eid, gate.subject, None, one.at) for gate, one in ended]
    await feed.add(connection, keys, [one for one in said if one is not None])


async def _stage(log: Log, connection: AsyncConnection, events: Sequence[Event]) -> None:
    await log.stage(connection, [draft(event, None, log.node) for event in events])
