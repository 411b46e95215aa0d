"""What a person is told of an erasure that they asked for and that waits for a hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import erasures, holds
from consent.erasures import Stage
from storage.honesty import RowKeys


@dataclass(frozen=True, slots=True)
class Waiting:
    """An erasure that comes by itself; until then nothing is mailed, and no stop is lifted."""

    asked_at: datetime
    until: datetime | None  # none: the hold has ended, and a duty is about to carry it out


async def look(
    connection: AsyncConnection, keys: RowKeys, subject: str, now: datetime
) -> Waiting | None:
    """How it stands by the rows; None where no erasure waits."""
    asked = (await erasures.of_subjects(connection, keys, [subject])).get(subject)
    if asked is None or asked.state is not Stage.HELD:
        return None
    return Waiting(asked.asked_at, await holds.until(connection, keys, subject, now))
