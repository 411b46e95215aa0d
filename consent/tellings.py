"""Who is told of a change: one row for each receiver, until it acknowledged.

What is told stands in the change alone (`feed.py`); who writes rows here can have
something true told again, or later. That it was acknowledged is signed, for it is shown as
proof. One receiver is told of one person in the order of the log: what waits keeps
back what came later of the same person, and of nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import feed
from consent.feed import KEPT, Change, News, Telling
from consent.tables import erasure
from consent.telling_tables import change, telling
from storage.honesty import RowKeys
from storage.locks import delete_free
from storage.signed import SignedTable
from storage.sound import fits
from storage.types import among
from storage.writing import insert_all

LEASE: Final = timedelta(seconds=20)  # longer than any one try takes
_FIRST: Final = tuple(timedelta(seconds=n) for n in (1, 5, 15, 30, 60))
_LONGEST: Final = timedelta(hours=6)
_DOUBLINGS: Final = 9
_ASIDE: Final = timedelta(hours=1)
# Spelled out, as the partial indexes have it: a parameter would keep them from being used.
_OPEN: ColumnElement[bool] = literal_column("telling.state IN ('waiting', 'aside')")
_WAITS: ColumnElement[bool] = literal_column("telling.state = 'waiting'")
OWED: Final = tuple(one for one in News if one.is_owed)


def wait(tries: int) -> timedelta:
    """How long after that many tries, all in vain, the next one comes."""
    if tries <= len(_FIRST):
        return _FIRST[max(tries, 1) - 1]
    return min(_FIRST[-1] * (1 << min(tries - len(_FIRST), _DOUBLINGS)), _LONGEST)


class Trouble(StrEnum):
    """Why there was no answer."""

    UNREACHABLE = "unreachable"
    UNKNOWN_NAME = "unknown name"
    CERTIFICATE = "certificate"
    TIMEOUT = "timeout"
    HUNG_UP = "hung up"
    OTHER = "other"


_FAILURE: Final = re.compile(f"status [1-9][0-9]{{2}}|{'|'.join(Trouble)}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try was in vain: that of a connection in a word, or the status of the answer."""

    status: int | None = None
    trouble: Trouble | None = None

    def __str__(self) -> str:
        return f"status {self.status}" if self.trouble is None else self.trouble


@dataclass(frozen=True, slots=True)
class Claim:
    """One receiver's turn to be told; *tries* counts this one."""

    change: str
    tries: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What became of telling one receiver of one change, for whoever is shown proof of it."""

    webhook: str
    told_at: datetime | None  # none: not yet
    given_up: bool


@dataclass(frozen=True, slots=True)
class Behind:
    """What one receiver has not acknowledged."""

    webhook: str
    changes: int
    since: datetime  # when the first of them happened
    tries: int  # of that one which was tried most often
    why: str | None = None  # why the newest try was in vain


async def add(connection: AsyncConnection, keys: RowKeys, spread: Iterable[Change]) -> None:
    """Let each receiver of these be told, who is not known to be; once for ever."""
    rows = [
        _signed(keys, one, webhook, Telling.WAITING, None) | {"tries": 0, "due_at": one.at}
        for one in spread
        for webhook in (one.receivers or "").split()
    ]
    await insert_all(connection, telling, rows, new_only=True)


async def claim(
    connection: AsyncConnection, webhook: str, now: datetime, limit: int
) -> list[Claim]:
    """Take what is due for one receiver, the first of each person, longest due first.

    The try is counted, and when the next one comes is stored, before anything is sent: what
    kills its process comes again later, and nobody else takes it meanwhile.
    """
    query = (
        select(telling.c.change, telling.c.tries)
        .where(_due(webhook, now))
        .order_by(telling.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=telling)
    )
    claimed = [Claim(row.change, _counted(row.tries)) for row in await connection.execute(query)]
    await _put_off(connection, webhook, {one: now + LEASE for one in claimed})
    return claimed


async def due(connection: AsyncConnection, now: datetime, *, webhook: str) -> Sequence[str]:
    """One of those that `claim` would take, if there is any. Changes nothing."""
    query = select(telling.c.change).where(_due(webhook, now)).limit(1)
    return (await connection.execute(query)).scalars().all()


def _due(webhook: str, now: datetime) -> ColumnElement[bool]:
    """What a receiver may be told: of each person the first that waits.

    What tells of no change, or of none that can be read, keeps nothing back.
    """
    before = telling.alias("before")
    earlier = exists().where(
        before.c.webhook == telling.c.webhook,
        before.c.subject == telling.c.subject,
        literal_column("before.state = 'waiting'"),
        before.c.place < telling.c.place,
        before.c.change == change.c.id,
        feed.READABLE,
    )
    # What is due later than any wait lasts was dated by a clock that ran ahead.
    in_time = or_(telling.c.due_at <= now, telling.c.due_at > now + _LONGEST)
    return and_(
        telling.c.webhook == webhook, _OPEN, in_time, not_(earlier), fits(*telling.primary_key)
    )


async def put_off(
    connection: AsyncConnection, webhook: str, claims: Mapping[Claim, Failure], now: datetime
) -> None:
    """Try these again, each later than the time before, unless somebody has taken them since."""
    failed = {one: str(why) for one, why in claims.items()}
    await _put_off(connection, webhook, {one: now + wait(one.tries) for one in claims}, failed)


async def _put_off(
    connection: AsyncConnection,
    webhook: str,
    due: Mapping[Claim, datetime],
    failed: Mapping[Claim, str] | None = None,
) -> None:
    rows = [{"of": one.change, "n": one.tries, "next": at} for one, at in due.items()]
    if not rows:
        return
    this = and_(
        telling.c.change == bindparam("of"),
        telling.c.webhook == webhook,
        _OPEN,
        telling.c.tries <= bindparam("n"),
    )
    values: dict[str, Any] = {"tries": bindparam("n"), "due_at": bindparam("next")}
    if failed is not None:
        rows = [row | {"why": failed[one]} for row, one in zip(rows, due, strict=True)]
        values["failed"] = bindparam("why")
    # In one order for everybody, or two processes could wait for each other's rows.
    rows.sort(key=lambda row: str(row["of"]))
    await connection.execute(update(telling).where(this).values(values), rows)


async def end(
    connection: AsyncConnection,
    keys: RowKeys,
    webhook: str,
    changes: Iterable[Change],
    state: Telling,
    now: datetime,
) -> None:
    """Write down that these were acknowledged, or given up, by what their changes say."""
    for one in sorted(changes, key=lambda one: one.id):
        told_at = now if state is Telling.TOLD else None
        this = and_(telling.c.change == one.id, telling.c.webhook == webhook, _OPEN)
        values = _signed(keys, one, webhook, state, told_at)
        await connection.execute(update(telling).where(this).values(values))


async def put_aside(
    connection: AsyncConnection, webhook: str, claims: Collection[Claim], now: datetime
) -> None:
    """Let what came later go on: what these tell of is away, or altered."""
    these = and_(
        telling.c.webhook == webhook,
        among(telling.c.change, {one.change for one in claims}),
        _OPEN,
    )
    # Its MAC covers the state no more: only what was acknowledged is believed, or denied, by it.
    values = {"state": Telling.ASIDE, "due_at": now + _ASIDE}
    await connection.execute(update(telling).where(these).values(values))


async def give_up(connection: AsyncConnection, keys: RowKeys, now: datetime, limit: int) -> int:
    """End what was not acknowledged while its change was kept; returns how many there were."""
    query = select(telling.c.change, telling.c.webhook).where(_WAITS, telling.c.at <= now - KEPT)
    # What is read of a name that is no text is another one: such a row would stay at the front.
    query = query.where(fits(*telling.primary_key))
    query = query.limit(limit).with_for_update(skip_locked=True)
    rows = (await connection.execute(query)).all()
    known = await feed.get(connection, keys, {row.change for row in rows})
    for row in rows:
        if (one := known.get(row.change)) is None:
            await put_aside(connection, row.webhook, [Claim(row.change, 0)], now)
        else:
            await end(connection, keys, row.webhook, [one], Telling.GIVEN_UP, now)
    return len(rows)


async def of_erasure(
    connection: AsyncConnection, keys: RowKeys, subject: str
) -> list[Acknowledged]:
    """Who is told that this person was erased, by name; what was altered is not acknowledged."""
    query = select(telling).where(
        telling.c.subject == subject, telling.c.kind == News.SUBJECT_ERASED
    )
    rows = (await connection.execute(query.order_by(telling.c.webhook))).all()
    return [_acknowledged(row, ours=SIGNED.fits(keys, row)) for row in rows]


def _acknowledged(row: Any, *, ours: bool) -> Acknowledged:
    told = ours and row.state == Telling.TOLD
    given_up = ours and row.state == Telling.GIVEN_UP
    return Acknowledged(row.webhook, row.told_at if told else None, given_up)


async def behind(connection: AsyncConnection) -> list[Behind]:
    """What waits to be acknowledged, by receiver."""
    name = telling.c.webhook
    query = select(name, func.count(), func.min(telling.c.at), func.max(telling.c.tries))
    query = query.where(_OPEN).group_by(name).order_by(name)
    return [Behind(*row) for row in await connection.execute(query)]


async def last_failure(connection: AsyncConnection, webhook: str) -> str | None:
    """Why the newest try to tell a receiver of what waits was in vain; None: none was."""
    query = select(telling.c.failed).where(
        telling.c.webhook == webhook, _OPEN, telling.c.failed.is_not(None)
    )
    row = (await connection.execute(query.order_by(telling.c.due_at.desc()).limit(1))).first()
    return None if row is None else _known(row.failed)


def _known(failed: object) -> str | None:
    """In our words: whoever writes rows must not choose what an operator is told."""
    return failed if isinstance(failed, str) and _FAILURE.fullmatch(failed) else None


async def purge(connection: AsyncConnection, now: datetime, proof: timedelta) -> int:
    """Let go of what is over: what is owed to nobody with its change, the others as *proof* ends.

    That somebody's erasure was told stays while the erasure itself does.
    """
    kind, at = telling.c.kind, telling.c.at
    asked = exists().where(erasure.c.subject == telling.c.subject)
    others = [one for one in OWED if one is not News.SUBJECT_ERASED]
    over = (
        and_(kind.in_([one for one in News if one not in OWED]), at <= now - KEPT),
        and_(kind.in_(others), at <= now - max(proof, KEPT)),
        and_(kind == News.SUBJECT_ERASED, at <= now - KEPT, not_(asked)),
    )
    return sum([await delete_free(connection, telling, one) for one in over])


def _counted(tries: object) -> int:
    """One more; SQLite keeps anything anywhere."""
    return min(tries, 1 << 20) + 1 if isinstance(tries, int) else 1


def _signed(
    keys: RowKeys, one: Change, webhook: str, state: Telling, told_at: datetime | None
) -> dict[str, object]:
    values = (one.id, webhook, one.subject, one.kind, one.place, one.at, state, told_at)
    named: dict[str, object] = dict(zip(_COVERED, values, strict=True))
    return named | keys.sign(telling.name, *values)._asdict()


def _granting(row: Any) -> Sequence[Any]:
    return tuple(getattr(row, name) for name in _COVERED)


_COVERED = ("change", "webhook", "subject", "kind", "place", "at", "state", "told_at")
SIGNED = SignedTable(telling, select(telling), _granting)
