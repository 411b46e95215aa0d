"""Who received a person's data, and acknowledged that it is erased (Art. 19 GDPR)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import feed, tellings
from consent.erasures import Erasure
from consent.feed import News
from gateway.flows.rights.telling import Receiver
from storage.honesty import RowKeys


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who received the data is told that it is erased (Art. 19 GDPR)."""

    webhook: str
    name: str
    acknowledged_at: datetime | None  # none: not yet
    given_up: bool


async def told_of(
    connection: AsyncConnection,
    keys: RowKeys,
    erasure: Erasure,
    receivers: Mapping[str, Receiver],
) -> tuple[Told, ...]:
    """Who is told, or is about to be: for a moment the erasure is done and not yet spread."""
    known = {
        one.webhook: one for one in await tellings.of_erasure(connection, keys, erasure.subject)
    }
    waits = await feed.awaits_its_place(connection, erasure.eid)
    soon = [name for name, one in receivers.items() if waits and News.SUBJECT_ERASED in one.kinds]
    told = []
    for webhook in sorted({*known, *soon}):
        name = receivers[webhook].name if webhook in receivers else webhook
        one = known.get(webhook)
        at, given_up = (one.told_at, one.given_up) if one else (None, False)
        told.append(Told(webhook, name, at, given_up))
    return tuple(told)


def in_words(one: Told) -> str:
    """As a certificate says it."""
    if one.acknowledged_at is not None:
        return f"{one.name} was told, and acknowledged it {one.acknowledged_at.isoformat()}."
    if one.given_up:
        return f"{one.name} did not acknowledge it in {feed.KEPT.days} days: tell them by hand."
    return f"{one.name} is being told, and has not acknowledged it yet."
