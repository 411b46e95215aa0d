"""Confirmation mails that are due when a benchmark wants them, and how long they waited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select, text, update

from consent import address
from consent.sign_ups import Asked, SignUp
from consent.texts import text_hash
from delivery import tables
from delivery.outcome import Kind
from gateway.flows.joining import intake, publish_texts, sign_up
from gateway.flows.joining.sign_up import Posted
from gateway.parts import Parts

_AT_ONCE = 500
_DUE = text("""
UPDATE outbox SET due_at = CAST(:first AS timestamptz) + (place - 1) * CAST(:gap AS interval)
FROM (
    SELECT id AS message, row_number() OVER (ORDER BY id) AS place FROM outbox
    WHERE kind = 'service' AND status = 'queued' ORDER BY id LIMIT CAST(:count AS integer)
) AS waiting
WHERE id = message
""")


async def ask(parts: Parts, count: int) -> None:
    """So many people ask for mails, whose confirmations are held back for now."""
    raw = publish_texts.bundles(parts.config)[0][0]
    said = json.loads(raw)
    asked = (Asked(said["purpose"], text_hash(raw)),)
    form = next(iter(parts.config.forms))
    for start in range(0, count, _AT_ONCE):
        people = [
            address.parse(f"new{start + n}@example.net")
            for n in range(min(_AT_ONCE, count - start))
        ]
        posted = [Posted(SignUp(form, one, said["locale"], asked), None) for one in people]
        await sign_up.accept_all(parts, posted)
    while await intake.work_off(parts):
        pass
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        await connection.execute(update(tables.outbox).values(due_at=now + timedelta(days=1)))
        await connection.execute(text("ANALYZE"))


async def confirm(parts: Parts, count: int, seconds: float) -> None:
    """Let so many be due, all now or one after another, in one statement.

    A statement for each would wait behind the worker five thousand times, and when they are
    written the first would have been due for long.
    """
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        told = {"first": now, "gap": timedelta(seconds=seconds / count), "count": count}
        await connection.execute(_DUE, told)


async def ended(parts: Parts, count: int) -> None:
    """Return when so many of them have ended."""
    row = tables.outbox.c
    query = select(func.count()).where(row.kind == Kind.SERVICE, row.ended_at.is_not(None))
    while True:
        async with parts.data.read() as connection:
            if (await connection.execute(query)).scalar_one() >= count:
                return
        await asyncio.sleep(0.5)


async def waits(parts: Parts) -> list[float]:
    """Seconds from when each was due until its outcome was written, in their order."""
    row = tables.outbox.c
    query = select(row.ended_at, row.due_at).where(row.kind == Kind.SERVICE)
    async with parts.data.read() as connection:
        found = await connection.execute(query.order_by(row.id))
        return [(ended_at - due_at).total_seconds() for ended_at, due_at in found]


def p95(waits: Sequence[float]) -> float:
    """The wait that all but a twentieth did not exceed."""
    return sorted(waits)[int(len(waits) * 0.95)]
