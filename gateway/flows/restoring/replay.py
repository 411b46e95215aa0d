"""What people took away since the backup is taken away again, as the guard's store tells it.

Each word by the flow that took it the first time: committed, told to the guard's store
again, waited for. So it may be repeated, and a next restore finds it too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from audit import roll
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import gates, taken_away
from consent.erasures import Stage
from consent.taken_away import TakingAway
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.restoring import uncounted
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.stops import Stops
from gateway.flows.sending.permission import Question
from storage.database import Database
from storage.honesty import RowKeys

CHANNEL = "restore"
_AT_ONCE = 100


@dataclass
class Replayed:
    """How much was taken away again."""

    withdrawals: int = 0
    objections: int = 0
    restrictions: int = 0
    erasures: int = 0
    strangers: int = 0  # words of people who came after the backup: nothing of them is here
    held: list[str] = field(default_factory=list)  # who waits to be erased; a hold may be lost

    def count(self, kind: str) -> None:
        if kind == Kind.SUBJECT_ERASURE_STARTED:
            self.erasures += 1
        elif kind == Kind.CONSENT_OBJECTED:
            self.objections += 1
        elif kind == Kind.SUBJECT_RESTRICTED:
            self.restrictions += 1
        else:
            self.withdrawals += 1


@dataclass(frozen=True, slots=True)
class Acts:
    """The flows by which people take something away."""

    withdrawals: Withdrawals
    stops: Stops
    erasures: Erasures
    erasing: Erasing


async def unheard(
    data: Database, guard: Database, keys: RowKeys, log: Log
) -> AsyncIterator[Sequence[tuple[TakingAway, bool]]]:
    """Words that no event of ours tells of, page by page, and whether their person is here.

    In no order of time.
    """
    last: bytes | None = None
    while True:
        async with guard.read() as connection:
            ids, page = await taken_away.after(connection, keys, last, _AT_ONCE)
        if not ids:
            return
        last = ids[-1]
        async with data.read() as connection:
            told = await roll.kinds_of(connection, log.macs, [one.eid for one in page])
            known = await gates.named(connection, {one.subject for one in page})
        yield [(one, one.subject in known) for one in page if told.get(one.eid) != one.kind]


async def replay(data: Database, guard: Database, keys: RowKeys, log: Log, acts: Acts) -> Replayed:
    """Take away again what nobody of ours has heard of.

    Erasures come last: words come in no order, and what an erasure leaves of somebody depends
    on whether they had objected.
    """
    done = Replayed()
    async for page in unheard(data, guard, keys, log):
        done.strangers += sum(not here for _, here in page)
        words = [word for word, here in page if here]
        for word in words:
            done.count(word.kind)
        # Of one moment: withdrawals share a transaction.
        await _leave_all(words, acts)
        await _restrict_all(words, acts, done)
    async for page in unheard(data, guard, keys, log):
        for word, here in page:
            if here and word.kind == Kind.SUBJECT_ERASURE_STARTED:
                await _erase(word, acts, done)
    return done


async def _leave_all(words: Sequence[TakingAway], acts: Acts) -> None:
    """Each ends before this does, also where one fails: the stores may be closed then."""
    ended = await asyncio.gather(*(_leave(word, acts) for word in words), return_exceptions=True)
    for error in ended:
        if isinstance(error, BaseException):
            raise error


async def _restrict_all(words: Sequence[TakingAway], acts: Acts, done: Replayed) -> None:
    for word in words:
        if word.kind in (Kind.SUBJECT_RESTRICTED, Kind.SUBJECT_ERASURE_HELD):
            await acts.stops.restrict(word.subject, CHANNEL, Actor.SYSTEM)
        if word.kind == Kind.SUBJECT_ERASURE_HELD:
            done.held.append(word.subject)


async def _leave(word: TakingAway, acts: Acts) -> None:
    if word.kind in (Kind.SUBJECT_RESTRICTED, Kind.SUBJECT_ERASURE_STARTED):
        return
    objects = word.kind == Kind.CONSENT_OBJECTED
    purpose = None if objects else word.purpose
    said = Withdrawal(purpose, Actor.SYSTEM, CHANNEL, objection=objects, said_at=word.at)
    await acts.withdrawals.by_subject(word.subject, said)


async def _erase(word: TakingAway, acts: Acts, done: Replayed) -> None:
    await uncounted.note(acts.erasing, [word.subject])
    question = Question("", subject=word.subject)
    asked = Request(question, Actor.SYSTEM, CHANNEL, received_at=word.at, again=word)
    erasure = await acts.erasures.erase(asked)
    if erasure is not None and erasure.state is Stage.HELD:
        done.held.append(word.subject)  # the hold stood at the backup, and was lifted since
