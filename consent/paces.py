"""How a person wants mails to come that they agreed to: not before a day, or few of them.

A pace only delays. No consent ends or begins by it, and it is no ground; it says nothing of
mails that ask, or bring what was asked for. A row that no gateway wrote holds mails back
until somebody looked: altered, it must not end a pause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import deadlines, tables
from storage import straight
from storage.honesty import RowKeys, Value
from storage.signed import SignedTable
from storage.sound import tuples
from storage.types import among, texts

pace = tables.pace
_OF_SUBJECTS = select(pace).where(among(pace.c.subject, texts("subjects")))

LONGEST_APART = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Pace:
    """What one person chose; neither: as the purposes have it."""

    paused_until: datetime | None = None
    apart: timedelta | None = None  # at most one mail in so long, of whatever purpose
    honest: bool = True  # the row is what we wrote

    def is_paused(self, now: datetime) -> bool:
        return self.paused_until is not None and self.paused_until > now


NONE = Pace()


def months_after(moment: datetime, count: int) -> datetime:
    """So many months later, at the same hour: the end of a pause."""
    return datetime.combine(deadlines.months_after(moment.date(), count), moment.timetz())


async def read(
    connection: AsyncConnection, keys: RowKeys, subjects: Iterable[str]
) -> dict[str, Pace]:
    """Those of these people who chose one; of who did not it is missing."""
    rows = await straight.rows(connection, _OF_SUBJECTS, {"subjects": subjects})
    return {row.subject: _read(keys, row) for row in tuples(rows, pace)}


async def choose(connection: AsyncConnection, keys: RowKeys, subject: str, chosen: Pace) -> None:
    """Keep what a person chose in the place of what stood there; hold their gate."""
    await connection.execute(delete(pace).where(pace.c.subject == subject))
    if chosen == NONE:
        return
    days = None if chosen.apart is None else chosen.apart.days
    row = {"subject": subject, "paused_until": chosen.paused_until, "apart_days": days}
    signed = row | keys.sign(pace.name, *row.values())._asdict()
    await connection.execute(insert(pace), [signed])


def _read(keys: RowKeys, row: Any) -> Pace:
    if not SIGNED.fits(keys, row):
        return Pace(honest=False)
    apart = None if row.apart_days is None else timedelta(days=row.apart_days)
    return Pace(row.paused_until, apart)


def _granting(row: Any) -> Sequence[Value]:
    return (row.subject, row.paused_until, row.apart_days)


SIGNED = SignedTable(pace, select(pace), _granting)
