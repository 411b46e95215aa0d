"""What changed about people, for whoever is told of it: one row for each such event.

A row is written in the transaction of the event that it tells of, and names it. It
says who by the random id alone, never an address, so that it may outlive its person
for as long as somebody is to be told. Once the log has given the event its place it is
spread: how it is told to whom stands in rows of their own (`tellings.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    literal_column,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import roll
from audit.kinds import Kind
from consent import tables
from consent.telling_tables import change, telling
from storage import bad_rows, paging, straight
from storage.honesty import RowKeys
from storage.ids import ordered_id
from storage.locks import delete_free
from storage.signed import SignedTable
from storage.sound import fits
from storage.types import among
from storage.writing import insert_all, update_all

READABLE: Final = fits(
    *(change.c[one] for one in ("id", "subject", "kind", "purpose", "receivers"))
)
KEPT: Final = timedelta(days=30)  # and so long nobody is given up who is to be told


class News(StrEnum):
    """What others may be told of, as they read it."""

    CONSENT_CONFIRMED = "consent.confirmed"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    CONSENT_OBJECTED = "consent.objected"
    CONSENT_OBJECTION_LIFTED = "consent.objection_lifted"
    CONSENT_EXPIRED = "consent.expired"
    SUBJECT_RECTIFIED = "subject.rectified"
    SUBJECT_RESTRICTED = "subject.restricted"
    SUBJECT_UNRESTRICTED = "subject.unrestricted"
    SUBJECT_ERASED = "subject.erased"

    @property
    def is_owed(self) -> bool:
        """Whether Art. 19 GDPR has whoever received the data told, and proof of it kept."""
        return self.startswith("subject.")


_NEWS: Mapping[Kind, News] = {
    Kind.CONSENT_CONFIRMED: News.CONSENT_CONFIRMED,
    Kind.CONSENT_WITHDRAWN: News.CONSENT_WITHDRAWN,
    Kind.CONSENT_LEFT: News.CONSENT_WITHDRAWN,
    Kind.CONSENT_OBJECTED: News.CONSENT_OBJECTED,
    Kind.SUPPRESSION_LIFTED: News.CONSENT_OBJECTION_LIFTED,
    Kind.CONSENT_EXPIRED: News.CONSENT_EXPIRED,
    Kind.SUBJECT_RECTIFIED: News.SUBJECT_RECTIFIED,
    Kind.SUBJECT_RESTRICTED: News.SUBJECT_RESTRICTED,
    Kind.SUBJECT_ERASURE_HELD: News.SUBJECT_RESTRICTED,  # an erasure that waits restricts
    Kind.SUBJECT_UNRESTRICTED: News.SUBJECT_UNRESTRICTED,
    Kind.SUBJECT_ERASED: News.SUBJECT_ERASED,
}
KINDS: Final = tuple(_NEWS)
_NAMES = frozenset(str(one) for one in News)


class Telling(StrEnum):
    """How far it has come that one receiver is told of one change."""

    WAITING = "waiting"
    ASIDE = "aside"  # its change is away, or altered: looked at again, and keeps nobody waiting
    TOLD = "told"  # and acknowledged
    GIVEN_UP = "given_up"  # was not acknowledged while it was kept


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one person; *receivers* and *place* are there once it was spread."""

    id: str
    eid: bytes  # the event that says it
    subject: str
    kind: News
    purpose: str | None
    at: datetime
    place: int | None = None  # of the event in the log
    receivers: str | None = None  # who is told, by name, with spaces between them


def told_of(
    kind: Kind, eid: bytes, subject: str, purpose: str | None, at: datetime
) -> Change | None:
    """What others are told of an event; None where it is nothing to them."""
    news = _NEWS.get(kind)
    if news is None:
        return None
    return Change(ordered_id("chg", at), eid, subject, news, purpose, at)


async def add(connection: AsyncConnection, keys: RowKeys, said: Iterable[Change]) -> None:
    """Keep what others are to be told, in the transaction that stages its events."""
    await insert_all(connection, change, [_signed(keys, one) for one in said])


async def unspread(connection: AsyncConnection, now: datetime, limit: int) -> Sequence[Any]:
    """Rows whose event has its place in the log, in that order, and that are not spread yet.

    As they stand; those that stand aside come last, at their time.
    """
    found: list[Any] = []
    for turn in _turns():
        if len(found) < limit:
            asked = bad_rows.at(now) | {"most": limit - len(found)}
            found += await straight.rows(connection, turn, asked)
    return found


@cache
def _turns() -> tuple[Select[Any], Select[Any]]:
    """The statements of `unspread`: the duty asks twice a second."""
    place = roll.place_of(change.c.eid)
    # Spelled out, as the partial index has it.
    query = select(change).where(literal_column("change.receivers IS NULL"), READABLE)
    query = query.where(place.is_not(None))
    first = bad_rows.first(query, change.c.id).order_by(place)
    most = bindparam("most", type_=Integer)
    return first.limit(most), bad_rows.again(query, change.c.id).limit(most)


async def spread(connection: AsyncConnection, keys: RowKeys, placed: Sequence[Change]) -> None:
    """Say of each its place and who is told, which is final: who is new hears of what comes."""
    await update_all(connection, change, [_signed(keys, one) for one in placed])


def placed(one: Change, place: int, receivers: Iterable[str]) -> Change:
    """The same change once it is known where its event stands, and who is told of it."""
    return replace(one, place=place, receivers=" ".join(sorted(receivers)))


async def get(
    connection: AsyncConnection, keys: RowKeys, ids: Collection[str]
) -> dict[str, Change]:
    """Those of these that a gateway wrote, by their ids."""
    these = and_(among(change.c.id, ids), READABLE)
    rows = await connection.execute(select(change).where(these))
    return {one.id: one for row in rows if (one := read(keys, row)) is not None}


@dataclass(frozen=True, slots=True)
class Position:
    """The change that a reader of all of them saw last; no two stand at one place."""

    place: int
    id: str


async def page(
    connection: AsyncConnection, keys: RowKeys, after: Position | None, limit: int
) -> list[Change]:
    """The next changes that were spread, in the order of the log.

    One process at a time spreads them, in that order, and each event has its place only once
    its change is there: so none ever comes to stand before one that was read. Rows that no
    gateway wrote are passed over, and nobody comes to stand behind one: with a place of the
    future it would hide what happens until then.
    """
    query = select(change).where(literal_column("change.receivers IS NOT NULL"), READABLE)
    key = (change.c.place, change.c.id)
    last = (-1, "") if after is None else (after.place, after.id)  # else the index is not used
    found: list[Change] = []
    while len(found) < limit:
        rows = (await connection.execute(paging.page(query, key, last, limit))).all()
        found += [one for row in rows if (one := read(keys, row)) is not None]
        if len(rows) < limit:
            break
        last = (rows[-1].place, rows[-1].id)
    return found[:limit]


async def awaits_its_place(connection: AsyncConnection, eid: bytes) -> bool:
    """Whether it is still to be decided who is told of this event."""
    query = select(change.c.id).where(change.c.eid == eid, change.c.receivers.is_(None))
    return (await connection.execute(query)).first() is not None


async def by_event(connection: AsyncConnection, eids: Collection[bytes]) -> set[bytes]:
    """Which of these events a row tells of."""
    query = select(change.c.eid).where(change.c.eid.in_(eids))
    return set((await connection.execute(query)).scalars())


async def untold(
    connection: AsyncConnection, keys: RowKeys, after: str | None, limit: int
) -> tuple[str | None, list[str]]:
    """Name receivers of the next changes for whom there is no telling; and where the page ends."""
    rows = (
        await connection.execute(paging.by_name(select(change), change.c.id, after, limit))
    ).all()
    ours = [one for row in rows if (one := read(keys, row)) is not None and one.receivers]
    wanted = {(one.id, name) for one in ours for name in (one.receivers or "").split()}
    pairs = select(telling.c.change, telling.c.webhook)
    there = pairs.where(among(telling.c.change, {one.id for one in ours}))
    missing = wanted - {(row.change, row.webhook) for row in await connection.execute(there)}
    return (rows[-1].id if rows else None), [f"{name}/{hook}" for name, hook in sorted(missing)]


async def forget(connection: AsyncConnection, subjects: Iterable[str]) -> None:
    """Let go of what everybody was told of people who are gone; that they were erased is kept."""
    waits = exists().where(
        telling.c.change == change.c.id, telling.c.state.in_((Telling.WAITING, Telling.ASIDE))
    )
    await _forget(connection, change, subjects, and_(change.c.receivers.is_not(None), ~waits))
    over = telling.c.state.in_((Telling.TOLD, Telling.GIVEN_UP))
    await _forget(connection, telling, subjects, over)


async def _forget(
    connection: AsyncConnection, table: Table, subjects: Iterable[str], over: ColumnElement[bool]
) -> None:
    here = exists().where(tables.subject.c.id == table.c.subject)
    these = and_(among(table.c.subject, subjects), table.c.kind != News.SUBJECT_ERASED, over, ~here)
    await delete_free(connection, table, these)


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Let go of what is so old that nobody is told any more; give up on who was not, before."""
    waits = exists().where(telling.c.change == change.c.id, telling.c.state == Telling.WAITING)
    return await delete_free(connection, change, and_(change.c.at <= now - KEPT, ~waits))


def read(keys: RowKeys, row: Any) -> Change | None:
    """The change; None where no gateway wrote the row, or a later release did."""
    if not SIGNED.fits(keys, row) or row.kind not in _NAMES:
        return None
    values = {name: getattr(row, name) for name in _COVERED}
    return Change(**{**values, "kind": News(row.kind)})


def _signed(keys: RowKeys, one: Change) -> dict[str, object]:
    values = {name: getattr(one, name) for name in _COVERED}
    return values | keys.sign(change.name, *values.values())._asdict()


def _granting(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _COVERED)


_COVERED = ("id", "eid", "subject", "kind", "purpose", "at", "place", "receivers")
SIGNED = SignedTable(change, select(change), _granting)
