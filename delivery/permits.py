"""Permits: a granted permission, written down for one transmission.

A permit is written by the claim that decided it, under the subject's gate. It
is open until its worker spends it (the replies to MAIL and RCPT were read, or
the connection closed after MAIL) or it expires by the database's clock with
MAIL never written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    String,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import leases, tables
from delivery.outbox import Message, Status, message_of
from storage import paging, straight
from storage.clock import Clock
from storage.types import Moment, among, texts
from storage.writing import insert_all

permit = tables.permit
outbox = tables.outbox

OPEN = "open"
SPENT = "spent"
LAPSED = "lapsed"
# For rows that are looked up by name. PostgreSQL must not know it for the words of the index of
# open permits: it would read that instead, with all that lies dead there until it is vacuumed.
_IS_OPEN = permit.c.state.concat("") == OPEN
# Made once: there are some for every few mails, and making them took longer than their answers.
_OWNER, _NOW = bindparam("worker", type_=String()), bindparam("now", type_=Moment())
# In the order of their ids, as everybody locks them; a row that was waited for is asked anew.
_HELD = (
    select(outbox.c.id, outbox.c.attempt)
    .where(among(outbox.c.id, texts("messages")))
    .where(outbox.c.owner == _OWNER, outbox.c.status == Status.SENDING)
    .order_by(outbox.c.id)
    .with_for_update()
    .cte("held")
)
_SPEND = (
    update(permit)
    .where(among(permit.c.id, texts("permits")), permit.c.owner == _OWNER, _IS_OPEN)
    .where(tuple_(permit.c.message, permit.c.attempt).in_(select(_HELD)))
    .where(leases.running(_OWNER, _NOW))
    .values(state=SPENT, spent_at=_NOW)
    .returning(permit.c.id, permit.c.message, permit.c.attempt)
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a permit counts for; whoever grants it says so, for delivery knows no grounds."""

    counts: bool  # towards a frequency cap
    for_all: bool  # whoever waits for the permits of any one purpose waits for it too
    keeps_use: bool  # once it is spent, its ground was used


@dataclass(frozen=True, slots=True)
class Permit:
    """One permission for one transmission, naming its ground."""

    id: str
    message: str
    attempt: int
    owner: str
    subject: str
    purpose: str
    ground_kind: str
    ground_id: str
    terms: Terms
    decided_at: datetime
    expires_at: datetime
    eid: bytes


async def grant(connection: AsyncConnection, permits: Sequence[Permit]) -> None:
    """Write permits; only a claim that holds their gates may."""
    rows = [
        {
            "id": one.id,
            "message": one.message,
            "attempt": one.attempt,
            "owner": one.owner,
            "subject": one.subject,
            "purpose": one.purpose,
            "ground_kind": one.ground_kind,
            "ground_id": one.ground_id,
            "counts": one.terms.counts,
            "for_all": one.terms.for_all,
            "keeps_use": one.terms.keeps_use,
            "state": OPEN,
            "decided_at": one.decided_at,
            "expires_at": one.expires_at,
            "eid": one.eid,
        }
        for one in permits
    ]
    await insert_all(connection, permit, rows)


@dataclass(frozen=True, slots=True)
class Spending:
    """A transmission that is about to pass its final dot, or began and ended before it."""

    permit: str
    message: str
    attempt: int


async def spend(
    connection: AsyncConnection, owner: str, spendings: Sequence[Spending], clock: Clock
) -> set[str]:
    """Mark permits spent and return those that were; for the others nothing may be sent.

    A row is only marked while the attempt is still this worker's and its lease
    still runs. A takeover locks the same outbox rows, so of the two one loses.
    It is one statement, and needs no transaction around it. Its moment is from before its locks:
    whom it can have waited for has dated nothing that comes before it, or taken the row.
    """
    spent = {
        "messages": [one.message for one in spendings],
        "permits": [one.permit for one in spendings],
        "worker": owner,
        "now": await clock.now(connection),
    }
    # A row that was altered may name another's message, which is still this worker's.
    meant = {(one.permit, one.message, one.attempt) for one in spendings}
    found = {tuple(row) for row in await straight.rows(connection, _SPEND, spent)}
    return {name for name, _, _ in found & meant}


async def lapse(connection: AsyncConnection, attempts: Iterable[tuple[str, int]]) -> None:
    """End open permits whose MAIL was never written; their attempts did not happen."""
    await _end_open(connection, attempts, {"state": LAPSED})


async def use_up(
    connection: AsyncConnection, attempts: Iterable[tuple[str, int]], now: datetime
) -> None:
    """Mark spent what is still open although MAIL was written: its dialogue broke off.

    Only for attempts that are over: this is no leave to send anything.
    """
    await _end_open(connection, attempts, {"state": SPENT, "spent_at": now})


async def _end_open(
    connection: AsyncConnection, attempts: Iterable[tuple[str, int]], values: dict[str, Any]
) -> None:
    keys = list(attempts)
    if keys:
        named = tuple_(permit.c.message, permit.c.attempt).in_(keys)
        statement = update(permit).where(named, _IS_OPEN)
        await connection.execute(statement.values(values))


async def spent_of(
    connection: AsyncConnection, attempts: Iterable[tuple[str, int]]
) -> set[tuple[str, int]]:
    """Which of these attempts have a spent permit."""
    keys = list(attempts)
    if not keys:
        return set()
    named = tuple_(permit.c.message, permit.c.attempt).in_(keys)
    query = select(permit.c.message, permit.c.attempt).where(named, permit.c.state == SPENT)
    return {(row.message, row.attempt) for row in await connection.execute(query)}


async def lock_unused(
    connection: AsyncConnection,
    owner: str,
    carried: Collection[tuple[str, int]],
    now: datetime,
) -> list[Message]:
    """Lock what *owner* holds under a permit that ran out, save the attempts that it carries.

    They are what is left of a claim whose answer got lost: no transmission of
    them was begun, and none can begin any more.
    """
    ran_out = exists().where(
        permit.c.message == outbox.c.id,
        permit.c.attempt == outbox.c.attempt,
        permit.c.state == OPEN,
        permit.c.expires_at <= now,
    )
    over = and_(outbox.c.owner == owner, outbox.c.status == Status.SENDING, ran_out)
    # Told what is carried, the database compares each of the rows with each of hundreds.
    found = await connection.execute(select(outbox.c.id, outbox.c.attempt).where(over))
    lost = [row.id for row in found if (row.id, row.attempt) not in carried]
    if not lost:
        return []
    query = select(outbox).where(among(outbox.c.id, lost), over).order_by(outbox.c.id)
    rows = await connection.execute(query.with_for_update())
    return [message_of(row) for row in rows if (row.id, row.attempt) not in carried]


async def of_message(connection: AsyncConnection, message: str, attempt: int) -> Permit | None:
    """The permit of one attempt; none before the first, nor once it is no longer kept."""
    query = select(permit).where(permit.c.message == message, permit.c.attempt == attempt)
    row = (await connection.execute(query)).first()
    return None if row is None else _permit(row)


@dataclass(frozen=True, slots=True)
class Counted:
    """A permit that counts for a frequency cap; one that is not *spent* may yet lapse."""

    message: str
    decided_at: datetime
    spent: bool


Moments = dict[tuple[str, str], list[Counted]]


async def moments(
    connection: AsyncConnection, pairs: Iterable[tuple[str, str]], since: datetime, now: datetime
) -> Moments:
    """Which message was permitted when, by (subject, purpose), for a frequency cap.

    Counted are permits spent, open, or expired unmarked while their worker
    holds the message: a lapse that might be a mail counts as one. A lease that
    ran out ends that only with the takeover, which locks the same row as the
    spending does; by the clock alone both could have their way.
    """
    may_have_sent = exists().where(
        outbox.c.id == permit.c.message,
        outbox.c.attempt == permit.c.attempt,
        outbox.c.owner == permit.c.owner,
        outbox.c.status == Status.SENDING,
    )
    counted = or_(
        permit.c.state == SPENT,
        and_(permit.c.state == OPEN, or_(permit.c.expires_at > now, may_have_sent)),
    )
    wanted = set(pairs)
    query = select(
        permit.c.subject, permit.c.purpose, permit.c.message, permit.c.decided_at, permit.c.state
    ).where(
        among(permit.c.subject, {subject for subject, _ in wanted}),
        permit.c.counts,
        permit.c.decided_at > since,
        counted,
    )
    found: Moments = {}
    for row in await connection.execute(query):
        if (row.subject, row.purpose) in wanted:
            pair = (row.subject, row.purpose)
            one = Counted(row.message, row.decided_at, row.state == SPENT)
            found.setdefault(pair, []).append(one)
    return found


async def last_spent(
    connection: AsyncConnection, grounds: Mapping[str, str]
) -> dict[str, datetime]:
    """When a permit that counts as its use was last spent on each ground; none: missing.

    *grounds* says whose each is.
    """
    query = (
        select(permit.c.ground_id, func.max(permit.c.spent_at))
        .where(
            among(permit.c.subject, grounds.values()),
            among(permit.c.ground_id, grounds),
            permit.c.keeps_use,
            permit.c.state == SPENT,
        )
        .group_by(permit.c.ground_id)
    )
    return {ground: moment for ground, moment in await connection.execute(query)}


# Permits that may still start a transmission, and until when.
Open = Mapping[str, datetime]


async def open_permits(
    connection: AsyncConnection, subject: str, purpose: str | None, now: datetime
) -> set[str]:
    """Permits of *subject* that may still start a transmission; *purpose* None means all."""
    (found,) = await open_of(connection, [(subject, purpose)], now)
    return set(found)


async def open_of(
    connection: AsyncConnection, wanted: Sequence[tuple[str | None, str | None]], now: datetime
) -> list[Open]:
    """As `open_permits`, for each subject and purpose in order; nobody (None) has none."""
    subjects = {subject for subject, _ in wanted if subject is not None}
    row = permit.c
    query = select(row.id, row.subject, row.purpose, row.for_all, row.expires_at).where(
        among(row.subject, subjects), row.state == OPEN, row.expires_at > now
    )
    theirs: dict[str | None, list[Any]] = {}
    for one in await connection.execute(query):
        theirs.setdefault(one.subject, []).append(one)
    return [
        {
            one.id: one.expires_at
            for one in theirs.get(subject, ())
            if purpose in (None, one.purpose) or one.for_all
        }
        for subject, purpose in wanted
    ]


def together(some: Iterable[Open]) -> Open:
    """All of these as one."""
    return {permit: until for one in some for permit, until in one.items()}


async def ended_among(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Which of these permits are spent or lapsed; of one whose row is away that is not known."""
    query = select(permit.c.id).where(among(permit.c.id, ids), permit.c.state.in_((SPENT, LAPSED)))
    return set((await connection.execute(query)).scalars())


async def after(connection: AsyncConnection, last: str | None, limit: int) -> list[Permit]:
    """The next permits by id, for whoever checks them all."""
    query = paging.by_name(select(permit), permit.c.id, last, limit)
    return [_permit(row) for row in await connection.execute(query)]


def _permit(row: Any) -> Permit:
    return Permit(
        id=row.id,
        message=row.message,
        attempt=row.attempt,
        owner=row.owner,
        subject=row.subject,
        purpose=row.purpose,
        ground_kind=row.ground_kind,
        ground_id=row.ground_id,
        terms=Terms(row.counts, row.for_all, row.keeps_use),
        decided_at=row.decided_at,
        expires_at=row.expires_at,
        eid=row.eid,
    )
