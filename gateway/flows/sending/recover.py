"""Messages whose worker is gone: settled from its journal, or taken over after its lease."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys.vault import Vault
from delivery import leases, permits
from delivery.changing import Change
from delivery.journal import Mark, Replay, replayable
from delivery.outbox import Message, outbox
from delivery.outcome import Reply
from delivery.recovery import recover
from gateway.flows.sending import settle
from gateway.flows.sending.settle import Result
from gateway.parts import Parts
from gateway.watch import logs
from storage import bad_rows
from storage.errors import StorageAway

log = structlog.get_logger()

_AT_ONCE = 500
Key = tuple[str, int]


async def from_journals(parts: Parts) -> int:
    """Settle what dead workers of this machine left, and remove their journals.

    One that cannot be replayed is left where it is, and keeps no other from being.
    """
    count, takeover = 0, _Takeover(parts)
    for replay in replayable(parts.config.delivery.journal_dir):
        try:
            count += await takeover.from_journal(replay)
        except StorageAway:
            raise
        except Exception as error:  # noqa: BLE001 at a start it would end the process, each time
            logs.failed("journal_failed", error, worker=replay.owner)
        else:
            replay.release()
    return count


async def abandoned(parts: Parts) -> int:
    """Take over messages whose worker's lease ran out and whose journal nobody can read."""
    async with parts.data.read() as connection:
        seen = await leases.abandoned(connection, await parts.clock.now(connection), _AT_ONCE)

    async def lock(connection: AsyncConnection, some: Sequence[str]) -> Sequence[Message]:
        return await leases.lock_abandoned(connection, some, await parts.clock.now(connection))

    count, _ = await _Takeover(parts).settle_all(seen, lock, _Known({}, complete=False))
    await _forget_dead(parts)
    if count:
        log.warning("messages_taken_over", messages=count)
    return count


async def _forget_dead(parts: Parts) -> None:
    # Looked for first: on SQLite everybody who writes waits for whoever may write.
    async with parts.data.read() as connection:
        if not await leases.any_dead(connection, await parts.clock.now(connection)):
            return
    async with parts.data.begin() as connection:
        await leases.forget_dead(connection, await parts.clock.now(connection))


@dataclass(frozen=True, slots=True)
class _Known:
    """What the journal of a worker that is gone says; of one out of reach nothing."""

    marks: Mapping[Key, Mark]
    complete: bool


Lock = Callable[[AsyncConnection, Sequence[str]], Awaitable[Sequence[Message]]]


class _NotWritten(Exception):
    """Of some messages nothing could be written: what is known of them must stay."""


class _Takeover:
    """Settles what others had under way, from what is known of them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def from_journal(self, replay: Replay) -> int:
        parts = self._parts

        async def lock(connection: AsyncConnection, some: Sequence[str]) -> Sequence[Message]:
            return await leases.lock_held(connection, replay.owner, some)

        async with parts.data.read() as connection:
            seen = await leases.held(connection, replay.owner)
        under_way = set(seen)
        marks = {attempt: mark for attempt, mark in replay.marks() if attempt[0] in under_way}
        count, lost = await self.settle_all(seen, lock, _Known(marks, replay.complete))
        if lost:
            raise _NotWritten(f"{len(lost)} outcomes")  # its lines are needed still
        async with parts.data.begin() as connection:
            await leases.forget(connection, replay.owner)
        accepted = ((attempt, mark) for attempt, mark in replay.marks() if mark.accepted)
        while some := dict(islice(accepted, _AT_ONCE)):
            count += await self._accepted_late(some, complete=replay.complete)
        log.info("journal_replayed", worker=replay.owner, messages=count)
        return count

    async def _accepted_late(self, marks: Mapping[Key, Mark], *, complete: bool) -> int:
        """A takeover was in doubt about these, which were accepted; the journal knows better."""

        async def lock(connection: AsyncConnection, some: Sequence[str]) -> Sequence[Message]:
            doubted = await leases.lock_doubted(connection, some)
            return [message for message in doubted if (message.id, message.attempt) in marks]

        messages = sorted({message for message, _ in marks})
        count, lost = await self.settle_all(messages, lock, _Known(marks, complete))
        if lost:
            raise _NotWritten(f"{len(lost)} outcomes")
        return count

    async def settle_all(
        self, messages: Sequence[str], lock: Lock, known: _Known
    ) -> tuple[int, frozenset[str]]:
        """Settle those of *messages* that *lock* gives; no bad one keeps another back.

        Returns how many, and those of which nothing could be written.
        """
        if not messages:
            return 0, frozenset()
        parts = self._parts
        async with parts.data.read() as connection:
            subjects = await leases.subjects_of(connection, messages)

        async def write(some: Sequence[str], vault: Vault) -> int:
            async with parts.data.begin() as connection:
                held = await lock(connection, some)
                results = await _decided(connection, held, known, await parts.clock.now(connection))
                await settle.record(connection, parts.clock, parts.log, parts.rows, results, vault)
                await bad_rows.release(connection, outbox.name, [message.id for message in held])
            return len(results)

        vault = await parts.keystore.vault(subjects)
        outcomes = [(message, message) for message in messages]
        counts, lost = await settle.severally(parts.data, parts.clock, outcomes, vault, write)
        return sum(counts), lost


async def _decided(
    connection: AsyncConnection, held: Sequence[Message], known: _Known, now: datetime
) -> list[Result]:
    """What becomes of locked messages; permits that were not used lapse."""
    if not held:
        return []
    spent = await permits.spent_of(connection, [(m.id, m.attempt) for m in held])
    decided = recover(held, spent, known.marks, journal_complete=known.complete, now=now)
    await permits.lapse(connection, decided.lapsed)
    by_id = {message.id: message for message in held}
    return [_result(by_id[c.message], c, decided.ended, known.marks) for c in decided.changes]


def _result(
    message: Message, change: Change, ended: Mapping[Key, str], marks: Mapping[Key, Mark]
) -> Result:
    key = (message.id, message.attempt)
    mark = marks.get(key)
    reply = Reply(mark.code) if mark is not None and mark.code is not None else None
    return Result(message, change, ended[key], reply)
