"""Messages that a claim cannot decide: when each is looked at again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.model import Granted
from delivery import changing, outbox
from delivery.changing import Change
from delivery.outbox import WAITING, Message, Parked, Status
from gateway.watch import logs
from gateway.watch.stuck import Why
from storage import bad_rows
from storage.clock import Clock
from storage.database import Database

log = structlog.get_logger()

_TABLE = outbox.outbox.name


def why(reason: str) -> Why:
    """A parked message's reason in the words of all that is parked."""
    return Why(reason.removeprefix("parked_"))


async def put_off(
    connection: AsyncConnection,
    decisions: Sequence[tuple[Message, Granted | Change]],
    now: datetime,
) -> list[Change]:
    """The changes that a claim decided, with the moments of those that it parks.

    What was parked and is decided now stands aside no more.
    """
    changes = [(m, decision) for m, decision in decisions if isinstance(decision, Change)]
    reasons = {one.message: one.reason for _, one in changes if one.reason in set(Parked)}
    mended = [m.id for m, _ in decisions if m.reason in set(Parked) and m.id not in reasons]
    await bad_rows.release(connection, _TABLE, mended)
    words = {message: why(str(reason)) for message, reason in reasons.items()}
    again = await bad_rows.park(connection, _TABLE, words, now)
    for message, word in words.items():
        log.error("message_parked", message=message, why=word)
    # At its expiry it is claimed once more, and ends there.
    return [
        replace(one, due_at=min(again[m.id], m.expires_at)) if m.id in again else one
        for m, one in changes
    ]


async def park_failed(data: Database, clock: Clock, errors: Mapping[str, Exception]) -> None:
    """Park messages whose claim failed, each alone."""
    if not errors:
        return
    for message, error in errors.items():
        logs.failed("message_failed", error, message=message)
    async with data.begin() as connection:
        held = await outbox.lock(connection, errors)
        now = await clock.now(connection)
        waiting = [message for message, row in held.items() if row.status in WAITING]
        again = await bad_rows.park(connection, _TABLE, dict.fromkeys(waiting, Why.FAILED), now)
        changes = [
            Change(message, Status.DEFERRED, Parked.FAILED, due_at)
            for message, due_at in again.items()
        ]
        await changing.change(connection, changes, now)


async def leave(data: Database, clock: Clock, errors: Mapping[str, Exception]) -> None:
    """Park messages of whose attempt nothing could be written, each as it is."""
    if not errors:
        return
    for message, error in errors.items():
        logs.failed("outcome_failed", error, message=message)
    async with data.begin() as connection:
        now = await clock.now(connection)
        await bad_rows.park(connection, _TABLE, dict.fromkeys(errors, Why.FAILED), now)
