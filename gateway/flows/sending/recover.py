"""Messages whose worker is gone: settled from its journal, or taken over after its lease."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys.vault import Vault
from delivery import leases, permits
from delivery.journal import Mark, Replay, replayable
from delivery.outbox import Change, Message
from delivery.outcome import Reply
from delivery.recovery import recover
from gateway.flows.sending import settle
from gateway.flows.sending.settle import Result
from gateway.parts import Parts

log = structlog.get_logger()

_AT_ONCE = 500
Key = tuple[str, int]


async def from_journals(parts: Parts) -> int:
    """Settle what dead workers of this machine left, and remove their journals."""
    count = 0
    for replay in replayable(parts.config.delivery.journal_dir):
        count += await _from_journal(parts, replay)
        replay.release()
    return count


async def _from_journal(parts: Parts, replay: Replay) -> int:
    async with parts.data.read() as connection:
        seen = await leases.held(connection, replay.owner)
    vault = await parts.keystore.vault(set(seen.values()))
    marks = {attempt: mark for attempt, mark in replay.marks() if attempt[0] in seen}
    async with parts.data.begin() as connection:
        held = await leases.lock_held(connection, replay.owner)
        count = await _settle(parts, connection, _Found(held, marks, replay.complete), vault)
        await leases.forget(connection, replay.owner)
    accepted = ((attempt, mark) for attempt, mark in replay.marks() if mark.accepted)
    while some := dict(islice(accepted, _AT_ONCE)):
        count += await _accepted_late(parts, some, complete=replay.complete)
    log.info("journal_replayed", worker=replay.owner, messages=count)
    return count


async def _accepted_late(parts: Parts, marks: Mapping[Key, Mark], *, complete: bool) -> int:
    """A takeover was in doubt about these, which were accepted; the journal knows better."""
    messages = {message for message, _ in marks}
    async with parts.data.read() as connection:
        subjects = await leases.subjects_of(connection, messages)
    vault = await parts.keystore.vault(subjects)
    async with parts.data.begin() as connection:
        doubted = await leases.lock_doubted(connection, messages)
        late = [message for message in doubted if (message.id, message.attempt) in marks]
        return await _settle(parts, connection, _Found(late, marks, complete), vault)


async def abandoned(parts: Parts) -> int:
    """Take over messages whose worker's lease ran out and whose journal nobody can read."""
    async with parts.data.read() as connection:
        seen = await leases.abandoned(connection, await parts.clock.now(connection), _AT_ONCE)
        subjects = await leases.subjects_of(connection, seen)
    vault = await parts.keystore.vault(subjects)
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        held = await leases.lock_abandoned(connection, seen, now)
        count = await _settle(parts, connection, _Found(held, {}, complete=False), vault)
        await leases.forget_dead(connection, now)
    if count:
        log.warning("messages_taken_over", messages=count)
    return count


@dataclass(frozen=True, slots=True)
class _Found:
    """Locked messages whose worker is gone, and what its journal says of them."""

    held: Sequence[Message]
    marks: Mapping[Key, Mark]
    complete: bool


async def _settle(parts: Parts, connection: AsyncConnection, found: _Found, vault: Vault) -> int:
    held, marks = found.held, found.marks
    if not held:
        return 0
    now = await parts.clock.now(connection)
    spent = await permits.spent_of(connection, [(m.id, m.attempt) for m in held])
    decided = recover(held, spent, marks, journal_complete=found.complete, now=now)
    await permits.lapse(connection, decided.lapsed)
    by_id = {message.id: message for message in held}
    results = [_result(by_id[c.message], c, decided.ended, marks) for c in decided.changes]
    await settle.record(connection, parts.clock, parts.log, parts.rows, results, vault)
    return len(results)


def _result(
    message: Message, change: Change, ended: Mapping[Key, str], marks: Mapping[Key, Mark]
) -> Result:
    key = (message.id, message.attempt)
    mark = marks.get(key)
    reply = Reply(mark.code) if mark is not None and mark.code is not None else None
    return Result(message, change, ended[key], reply)
