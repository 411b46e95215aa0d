"""Public checkpoints: what strangers are told of the log, which says nothing of one person.

Whoever reads how large a log is, before and after asking for somebody, learns
whether they are known. So strangers see one checkpoint a day, and directly before
it come cover entries, as many as the dice say: the few entries of one person
cannot be told from them.

Which checkpoint is public stands in the log itself: the first that covers the
newest `log.shown`. So every node says the same, and a restart changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import published, succession
from audit.checkpoints import Verifier
from audit.entry import Entry, Event, draft, parse
from audit.kinds import Actor, Kind
from audit.log import Log, Logged
from audit.published import Stored
from audit.rowmac import LOGGED
from audit.tables import audit_entry
from storage.clock import Clock
from storage.database import Database
from storage.sound import sound

DAY_BEGINS = timedelta(hours=3)  # UTC, where few people are awake who could see it happen
FEWEST, SPREAD = 256, 1024  # how many cover entries: from FEWEST, and fewer than their sum
_DAY = timedelta(days=1)
# Rows that no gateway wrote, and how many of them are looked behind.
_LOOKED_BEHIND = 100

# What says that it is a `log.shown`, whoever wrote it.
_CLAIMING = select(*LOGGED).where(audit_entry.c.kind == Kind.LOG_SHOWN, sound(audit_entry))

Dice = Callable[[int], int]


def is_due(last: datetime | None, now: datetime, begins: timedelta = DAY_BEGINS) -> bool:
    """Whether another checkpoint is to be shown, when one was at *last*; a day *begins* then.

    However many days have begun since, it is one. A clock that ran ahead does not
    keep the next one away for as long as it was ahead.
    """
    if last is None or last > now + _DAY:
        return True
    return _day_of(last, begins) < _day_of(now, begins)


def is_due_again(last: datetime | None, now: datetime, every: timedelta) -> bool:
    """Whether what follows the public checkpoint is due, when it was at *last*: by whole days."""
    if last is None or last > now + _DAY:
        return True
    return _day_of(now, DAY_BEGINS) - _day_of(last, DAY_BEGINS) >= every


def _day_of(moment: datetime, begins: timedelta) -> date:
    return (moment.astimezone(UTC) - begins).date()


async def show(data: Database, log: Log, clock: Clock, dice: Dice = secrets.randbelow) -> bool:
    """Append cover entries and `log.shown` where a day has begun; False where none has.

    All of them or none: a crash leaves it due. Of several nodes one does it, for
    it holds the sequencer's lock. What it appends is public once it is published.
    """
    async with data.read() as connection:
        now = await clock.now(connection)
        if not await _is_due(connection, log, now):
            return False
    # As many as there may be: how long it takes would tell how many the dice keep.
    covers = [_entry(log, Kind.LOG_COVER, now) for _ in range(FEWEST + SPREAD)]
    kept = covers[: FEWEST + dice(SPREAD)]
    async with data.begin() as connection:
        frontier = await log.held(connection)
        # Another node may have done it meanwhile.
        if frontier is None or not await _is_due(connection, log, now):
            return False
        await log.append(connection, frontier, [*kept, _entry(log, Kind.LOG_SHOWN, now)], now)
    return True


async def _is_due(connection: AsyncConnection, log: Log, now: datetime) -> bool:
    shown = await _shown(connection, log, 1)
    # Behind rows that somebody planted it is not known: covers at every turn would fill the disk.
    if not shown and (await connection.execute(_CLAIMING.limit(1))).first() is not None:
        return False
    return is_due(shown[0].entry.at if shown else None, now)


async def newest(connection: AsyncConnection, log: Log, verifier: Verifier) -> Stored | None:
    """The checkpoint that anybody may see; None before the first.

    Until the one that was asked for last is signed, it is the one before.
    """
    for shown in await _shown(connection, log, 2):
        stored = await published.first_over(connection, verifier, shown.place)
        if stored is not None:
            return stored
    return None


async def first_over(
    connection: AsyncConnection, log: Log, verifier: Verifier, place: int
) -> Stored | None:
    """The first public checkpoint that covers the entry at *place*; None while there is none."""
    base = succession.base_of(succession.generation_of(place))
    later = _CLAIMING.where(audit_entry.c.leaf_index.between(place, base + succession.STRIDE - 1))
    for row in (
        await connection.execute(later.order_by(audit_entry.c.leaf_index).limit(_LOOKED_BEHIND))
    ).all():
        if (shown := log.logged(row)) is not None and shown.entry.kind is Kind.LOG_SHOWN:
            return await published.first_over(connection, verifier, shown.place)
    return None


def _entry(log: Log, kind: Kind, now: datetime) -> tuple[Entry, bytes]:
    made = draft(Event(kind, Actor.SYSTEM, now), None, log.node).entry
    return parse(made), made


async def _shown(connection: AsyncConnection, log: Log, wanted: int) -> list[Logged]:
    """The last `log.shown`, newest first; the column alone could have been written by anybody."""
    query = _CLAIMING.order_by(audit_entry.c.leaf_index.desc())
    found: list[Logged] = []
    for limit in (wanted, _LOOKED_BEHIND):
        rows = (await connection.execute(query.limit(limit))).all()
        read = [one for row in rows if (one := log.logged(row)) is not None]
        found = [one for one in read if one.entry.kind is Kind.LOG_SHOWN]
        if len(found) >= wanted:
            break
    return found[:wanted]
