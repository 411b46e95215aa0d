"""What delivery lets go of: contents, ended messages, permits.

Who changes outbox rows locks them first; what somebody else holds is left for
the next run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables, tally
from delivery.outbox import FINAL, Status
from delivery.permits import SPENT
from delivery.tally import Counts
from storage import bad_rows, paging
from storage.locks import delete_free, in_order
from storage.sound import fits
from storage.types import among

outbox = tables.outbox
permit = tables.permit
_ERASED = "erased"  # the reason that a refusal has then


# What has no name of ours can be asked for in no statement, and would fill every page.
_NAMED = fits(outbox.c.id, outbox.c.content)


async def drop_bodies(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete contents and reply texts of messages that ended up to *before*; returns of how many.

    State, reason and reply codes stay for as long as the message.
    """
    query = select(outbox.c.id, outbox.c.content).where(
        outbox.c.ended_at.is_not(None),
        outbox.c.ended_at <= before,
        outbox.c.content.is_not(None),
        _NAMED,
    )
    query = query.order_by(outbox.c.ended_at, outbox.c.id).limit(limit)
    rows = (await connection.execute(query.with_for_update(skip_locked=True))).all()
    ids = [row.id for row in rows]
    await connection.execute(update(outbox).where(among(outbox.c.id, ids)).values(content=None))
    attempt = tables.attempt
    replies = update(attempt).where(among(attempt.c.message, ids), attempt.c.reply.is_not(None))
    await connection.execute(replies.values(reply=None))
    await _drop_contents(connection, {row.content for row in rows})
    return len(ids)


async def drop_ended(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete messages that ended up to *before*; their permits outlive them, see `spare`."""
    query = select(outbox.c.id, outbox.c.content).where(
        outbox.c.ended_at.is_not(None), outbox.c.ended_at <= before, _NAMED
    )
    query = query.order_by(outbox.c.ended_at, outbox.c.id).limit(limit)
    rows = (await connection.execute(query.with_for_update(skip_locked=True))).all()
    await _drop_messages(connection, [row.id for row in rows], {row.content for row in rows})
    return len(rows)


@dataclass(frozen=True, slots=True)
class OldPermit:
    """A permit whose message is gone."""

    id: str
    eid: bytes
    subject: str
    purpose: str
    ground: str
    decided_at: datetime
    last_use: datetime | None  # of its ground, where no later permit was spent on that


@dataclass(frozen=True, slots=True)
class Need:
    """How long a purpose needs permits whose message is gone."""

    cap: timedelta = timedelta()  # the window of its frequency cap
    unused_after: timedelta = timedelta()  # a consent ends so long after its last use


def spare(one: OldPermit, need: Need, now: datetime, *, stands: bool = True) -> bool:
    """Say whether nothing needs this permit any more; *stands*: its ground may permit again.

    A frequency cap counts the permits of its window. That a consent was used
    is known from the last permit that was spent on it, until it went unused.
    """
    # Counted back from now: what a row has for a moment may be the last one that there is.
    if one.decided_at > now - need.cap:
        return False
    return not stands or one.last_use is None or one.last_use <= now - need.unused_after


async def old_permits(
    connection: AsyncConnection, after: str | None, before: datetime, limit: int
) -> list[OldPermit]:
    """The next permits by id that were granted up to *before* and whose message is gone."""
    other = permit.alias("other")
    used_again = exists().where(
        other.c.subject == permit.c.subject,
        other.c.purpose == permit.c.purpose,
        other.c.decided_at > permit.c.decided_at,
        other.c.ground_id == permit.c.ground_id,
        other.c.keeps_use,
        other.c.state == SPENT,
    )
    is_last = and_(permit.c.state == SPENT, permit.c.keeps_use, ~used_again)
    query = select(
        permit.c.id,
        permit.c.eid,
        permit.c.subject,
        permit.c.purpose,
        permit.c.ground_id,
        permit.c.decided_at,
        permit.c.spent_at,
        is_last.label("last"),
    ).where(permit.c.decided_at <= before, ~exists().where(outbox.c.id == permit.c.message))
    rows = await connection.execute(paging.by_name(query, permit.c.id, after, limit))
    return [
        OldPermit(
            row.id,
            row.eid,
            row.subject,
            row.purpose,
            row.ground_id,
            row.decided_at,
            row.spent_at if row.last else None,
        )
        for row in rows
    ]


async def granted_by(
    connection: AsyncConnection, pairs: Collection[tuple[bytes, str]]
) -> set[tuple[bytes, str]]:
    """Of which of these events and people a permit is still kept."""
    query = select(permit.c.eid, permit.c.subject).where(
        among(permit.c.subject, {subject for _, subject in pairs}),
        permit.c.eid.in_({eid for eid, _ in pairs}),
    )
    return {(row.eid, row.subject) for row in await connection.execute(query)}.intersection(pairs)


async def drop_permits(connection: AsyncConnection, ids: Collection[str]) -> None:
    if ids:
        await delete_free(connection, permit, among(permit.c.id, ids))


async def remove_of(connection: AsyncConnection, subjects: Collection[str]) -> set[str]:
    """Delete everything about people who are being erased; returns those who must wait.

    A message under a lease is left to its outcome: its worker may be past the
    final dot, and the row says whose attempt that was.
    """
    row = outbox.c
    query = select(row.id, row.subject, row.content, row.status, row.campaign)
    query = query.where(among(outbox.c.subject, subjects)).order_by(outbox.c.id)
    rows = (await connection.execute(query.with_for_update())).all()
    waiting = {row.subject for row in rows if row.status == Status.SENDING}
    gone = [row for row in rows if row.subject not in waiting]
    await tally.add(connection, _uncounted(gone))
    await _drop_messages(connection, [row.id for row in gone], {row.content for row in gone})
    left = set(subjects) - waiting
    theirs = in_order(permit, among(permit.c.subject, left))
    await connection.execute(delete(permit).where(theirs))
    content = tables.content
    unused = in_order(content, and_(among(content.c.subject, left), ~_in_use()))
    await connection.execute(delete(content).where(unused))
    return waiting


def _uncounted(rows: Sequence[Any]) -> Counts:
    """What of campaigns had not ended: it ends as not to be mailed, and is counted so."""
    going = Counter(row.campaign for row in rows if row.campaign and row.status not in FINAL)
    return Counter({(name, Status.REFUSED, _ERASED): n for name, n in going.items()})


async def with_messages(connection: AsyncConnection, subjects: Collection[str]) -> set[str]:
    """Which of these people have messages in the queue."""
    query = select(outbox.c.subject).where(among(outbox.c.subject, subjects)).distinct()
    return set((await connection.execute(query)).scalars())


async def _drop_messages(
    connection: AsyncConnection, ids: Sequence[str], contents: Collection[str | None]
) -> None:
    attempt = tables.attempt
    await connection.execute(delete(attempt).where(among(attempt.c.message, ids)))
    await connection.execute(delete(outbox).where(among(outbox.c.id, ids)))
    await bad_rows.release(connection, outbox.name, ids)
    await _drop_contents(connection, contents)


async def _drop_contents(connection: AsyncConnection, contents: Collection[str | None]) -> None:
    """Many messages may name one content: it goes with the last of them."""
    content = tables.content
    wanted = {one for one in contents if one is not None}
    unused = in_order(content, and_(among(content.c.id, wanted), ~_in_use()))
    await connection.execute(delete(content).where(unused))


def _in_use() -> ColumnElement[bool]:
    """Whether a message names it, or a campaign that is not over may make more that do."""
    campaign = tables.campaign
    goes_on = and_(campaign.c.content == tables.content.c.id, campaign.c.ended_at.is_(None))
    return or_(exists().where(outbox.c.content == tables.content.c.id), exists().where(goes_on))
