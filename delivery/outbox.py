"""The outbox: messages from acceptance to their end.

Who changes existing rows locks them first, ordered by id, and never while
holding a gate: a claim takes outbox rows first and gates after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from delivery.outcome import Kind
from storage import straight
from storage.honesty import RowKeys, Signed
from storage.signed import SignedTable
from storage.sound import readable, tuples
from storage.types import Moment, among, texts
from storage.writing import While, insert_each

outbox = tables.outbox


class Status(StrEnum):
    """Where a message stands; every one ends in one of the last six."""

    QUEUED = "queued"
    SENDING = "sending"
    DEFERRED = "deferred"
    PAUSED = "paused"  # with its campaign
    SENT = "sent"
    UNCERTAIN = "uncertain"
    BOUNCED = "bounced"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    FAILED = "failed"


NO_ATTEMPT = -1  # what stands in a row that has no number there; no permit has it
WAITING = (Status.QUEUED, Status.DEFERRED)
FINAL = frozenset(Status) - {*WAITING, Status.PAUSED, Status.SENDING}


class Parked(StrEnum):
    """Why a message waits that cannot be decided; shown by `status`, the doctor and a metric.

    Stored as the reason of a deferred message, which stands aside meanwhile
    (`storage.bad_rows`). It is looked at again after a while, and goes on by itself
    once the cause is gone.
    """

    ALTERED = "parked_altered"  # the row is not what was accepted
    ATTEMPTS = "parked_attempts"  # its permits do not fit its attempts, or it may have been sent
    KEY_MISSING = "parked_key_missing"
    OCCASION_UNKNOWN = "parked_occasion_unknown"
    SENDER_UNKNOWN = "parked_sender_unknown"  # not in the configuration any more
    HANDLE_MISSING = "parked_handle_missing"  # without it nobody could leave
    FAILED = "parked_failed"  # deciding it raised an error, which the log names


# In words, as the partial index has it: given as parameters SQLite would not
# use that, and read every message of a year for each claim.
IS_WAITING: ColumnElement[bool] = outbox.c.status.in_(
    [literal_column(f"'{one}'") for one in WAITING]
)


MOST_TRIES = 10_000  # no message is tried so often in its life

# Made once: making a statement takes longer than executing it.
_NAMED = among(outbox.c.id, texts("messages"))
_NOW = bindparam("now", type_=Moment())
_LOCK = select(outbox).where(_NAMED).order_by(outbox.c.id).with_for_update()
_CONTENTS = select(tables.content.c.id, tables.content.c.sealed, tables.content.c.key).where(
    among(tables.content.c.id, texts("contents"))
)
_LEASE = (
    update(outbox)
    .where(_NAMED)
    .values(
        status=Status.SENDING,
        reason=None,
        attempt=outbox.c.attempt + 1,
        owner=bindparam("worker"),
        dated_at=func.coalesce(outbox.c.dated_at, _NOW),
    )
)
_OPEN = insert(tables.attempt).from_select(
    ["message", "n", "owner", "started_at"],
    select(outbox.c.id, outbox.c.attempt, outbox.c.owner, _NOW).where(_NAMED),
)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to accept; its content is sealed already, and kept already where it has none."""

    id: str
    kind: Kind
    subject: str
    purpose: str
    sender: str
    id_domain: str
    content_id: str
    content: bytes | None
    due_at: datetime
    expires_at: datetime
    origin: str | None = None
    reference: bytes | None = field(default=None, repr=False)  # keyed, to be found by
    occasion: str | None = None  # why a service mail is sent, to who enqueues it
    regarding: str | None = None  # and about what
    campaign: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One outbox row."""

    id: str
    kind: Kind
    subject: str
    purpose: str
    sender: str
    content: str  # empty once its retention is over
    status: Status
    reason: str | None
    due_at: datetime
    expires_at: datetime
    attempt: int
    tries: int
    owner: str | None
    dated_at: datetime | None
    origin: str | None
    occasion: str | None
    regarding: str | None
    created_at: datetime
    # Of its Message-ID; none: unknown to the upgrade from the first release, its sender was gone.
    id_domain: str | None = None
    campaign: str | None = None
    again: int | None = None  # up to this attempt, one that may have sent it does not matter
    send_at: datetime | None = None  # none: an earlier release did not keep it
    honest: bool = True  # the row is what was accepted; only `lock_due` looks


async def enqueue(
    connection: AsyncConnection,
    keys: RowKeys,
    messages: Sequence[NewMessage],
    now: datetime,
    provided: While | None = None,
) -> bool:
    """Accept *messages*; once committed, each ends with a status and a reason.

    False, and nothing accepted, where it is not so what was *provided*.
    """
    if not messages:
        return True
    contents = [
        {"id": m.content_id, "subject": m.subject, "sealed": m.content, "created_at": now}
        for m in messages
        if m.content is not None
    ]
    rows = [_new_row(keys, m, now) for m in messages]
    parts = ((tables.content, contents), (outbox, rows))
    return await insert_each(connection, *parts, provided=provided)


def _new_row(keys: RowKeys, message: NewMessage, now: datetime) -> dict[str, Any]:
    row = {
        "id": message.id,
        "kind": message.kind,
        "subject": message.subject,
        "purpose": message.purpose,
        "sender": message.sender,
        "id_domain": message.id_domain,
        "content": message.content_id,
        "status": Status.QUEUED,
        "due_at": message.due_at,
        "expires_at": message.expires_at,
        "attempt": 0,
        "tries": 0,
        "origin": message.origin,
        "reference": message.reference,
        "send_at": message.due_at,
        "occasion": message.occasion,
        "regarding": message.regarding,
        "campaign": message.campaign,
        "again": None,
        "created_at": now,
    }
    return row | keys.sign(outbox.name, *_signed(*(row[name] for name in _ACCEPTED)))._asdict()


_OF_CAMPAIGN = ("campaign", "again")
# What was accepted, for whom, under which purpose and class: it never changes, and a row in which
# it did is nobody's message.
_ACCEPTED = (
    "id",
    "kind",
    "subject",
    "purpose",
    "sender",
    "id_domain",
    "content",
    "expires_at",
    "origin",
    "occasion",
    "regarding",
    "created_at",
    *_OF_CAMPAIGN,
)


_values = attrgetter(*_ACCEPTED)


def _accepted(row: Any) -> Sequence[Any]:
    return _signed(*_values(row))


def _signed(*values: Any) -> Sequence[Any]:
    """What the MAC covers: of a message that is of no campaign, as before there were any."""
    most = len(values) - len(_OF_CAMPAIGN)
    return values if any(one is not None for one in values[most:]) else values[:most]


def sign(keys: RowKeys, message: Message) -> Signed:
    """What its row carries from here on: of what was accepted, something changes."""
    return keys.sign(outbox.name, *_accepted(message))


def is_honest(keys: RowKeys, row: Any) -> bool:
    """Say whether a row is what was accepted."""
    return keys.fits(outbox.name, row.kid, row.mac, _accepted(row))


# Once its content is gone a message has ended, and its row is not what was accepted any more.
SIGNED = SignedTable(outbox, select(outbox).where(outbox.c.content.is_not(None)), _accepted)


async def name_domains(connection: AsyncConnection, domains: Mapping[str, str]) -> None:
    """Keep with messages of the first release what was their sender's alone; safe to repeat.

    Before they are signed: what is signed stays as it is.
    """
    unnamed = and_(outbox.c.id_domain.is_(None), outbox.c.kid.is_(None))
    for sender, domain in sorted(domains.items()):
        statement = update(outbox).where(unnamed, outbox.c.sender == sender)
        await connection.execute(statement.values(id_domain=domain))


async def lock(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Message]:
    """Lock rows whatever their state, waiting for whoever holds them."""
    rows = tuples(await straight.rows(connection, _LOCK, {"messages": ids}), outbox)
    return {row.id: message_of(row) for row in rows}


async def get(connection: AsyncConnection, message_id: str) -> Message | None:
    row = (await connection.execute(select(outbox).where(outbox.c.id == message_id))).first()
    return None if row is None else message_of(row)


async def ends_of(
    connection: AsyncConnection, messages: Sequence[str]
) -> dict[str, tuple[str, datetime | None]]:
    """What became of these messages, and when they ended; one that is over its term is missing."""
    query = select(outbox.c.id, outbox.c.status, outbox.c.ended_at)
    rows = await connection.execute(query.where(among(outbox.c.id, messages)))
    return {row.id: (row.status, row.ended_at) for row in rows}


@dataclass(frozen=True, slots=True)
class Stored:
    """A content, sealed; many messages may name one that has a *key* of its own."""

    sealed: bytes
    key: str | None = None


async def contents(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Stored]:
    """The sealed contents by id."""
    rows = await straight.rows(connection, _CONTENTS, {"contents": ids})
    return {name: Stored(sealed, key) for name, sealed, key in rows}


async def lease(
    connection: AsyncConnection, messages: Sequence[str], owner: str, now: datetime
) -> None:
    """Give locked messages to a worker and open their next attempts.

    The attempt number is stored before the first byte, so a message that kills
    its worker cannot be sent again under the same number.
    """
    if not messages:
        return
    of = {"messages": messages, "now": now}
    await straight.run(connection, _LEASE, of | {"worker": owner})
    await straight.run(connection, _OPEN, of)


async def counts(connection: AsyncConnection) -> dict[tuple[str, str], int]:
    """Messages by class and status that have not ended, for the metrics."""
    query = select(outbox.c.kind, outbox.c.status, func.count())
    query = query.group_by(outbox.c.kind, outbox.c.status)
    # Two conditions, two indexes: what ended is most of the table, and not read.
    under_way = and_(outbox.c.owner > "", outbox.c.status == Status.SENDING)
    found = union_all(query.where(IS_WAITING), query.where(under_way))
    return {(kind, status): number for kind, status, number in await connection.execute(found)}


def message_of(row: Any, *, honest: bool = True) -> Message:
    """A message, whatever its row holds: one that nobody can read must not end whoever settles.

    What no gateway can have written is replaced by what sends nothing.
    """
    read = readable(row, outbox)
    return Message(
        id=read.id,
        kind=_word(Kind, read.kind, Kind.MARKETING),
        subject=read.subject,
        purpose=read.purpose,
        sender=read.sender,
        id_domain=read.id_domain,
        content=read.content or "",
        status=_word(Status, read.status, Status.FAILED),
        reason=read.reason,
        due_at=read.due_at,
        expires_at=read.expires_at,
        attempt=read.attempt,
        tries=min(max(read.tries, 0), MOST_TRIES),
        owner=read.owner,
        dated_at=read.dated_at,
        origin=read.origin,
        occasion=read.occasion,
        regarding=read.regarding,
        created_at=read.created_at,
        campaign=read.campaign,
        again=read.again,
        send_at=read.send_at,
        honest=honest and read is row,
    )


W = TypeVar("W", Kind, Status)


def _word(words: type[W], stored: str, otherwise: W) -> W:
    try:
        return words(stored)
    except ValueError:
        return otherwise
