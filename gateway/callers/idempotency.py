"""The same request twice is done once: answers remembered for a day, by key and endpoint.

The answer is stored in the transaction of the change itself, so there is no
moment at which the change is made and the answer is not known.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    bindparam,
    delete,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import InFlight, Invalid, KeyReused, RequestError
from gateway.schema.tables import idempotency
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.secret import Secret
from storage.types import upsert

_KEPT = timedelta(hours=24)
_ABANDONED = timedelta(minutes=1)  # its process died: nothing was changed, another may try
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_COLUMNS = (idempotency.c.api_key, idempotency.c.endpoint, idempotency.c.key_hash)
_Name = tuple[str, str, bytes]


@dataclass(frozen=True)
class Request:
    """What a caller asked, as far as telling requests apart needs it; nothing readable."""

    api_key: str
    endpoint: str
    key_hash: bytes
    fingerprint: bytes

    @property
    def name(self) -> tuple[str, str, bytes]:
        """What tells it from other requests; the same twice is the same request, or a mistake."""
        return self.api_key, self.endpoint, self.key_hash


@dataclass
class Ticket:
    """The right to do this request, until somebody else has to take over."""

    request: Request
    owner: bytes
    remembered: bool = False


@dataclass(frozen=True)
class Remembered:
    """What the first request was answered."""

    status: int
    answer: bytes


def identify(secret: Secret, *, api_key: str, endpoint: str, header: str, body: bytes) -> Request:
    """Name a request by its `Idempotency-Key` *header*; raises Invalid for an unfit one.

    Callers put addresses into such keys and bodies, so both are stored as HMACs.
    """
    if not _KEY.fullmatch(header):
        raise Invalid.at("", "Idempotency-Key must be 1 to 255 visible ASCII characters")
    key = secret.reveal()
    return Request(
        api_key,
        endpoint,
        key_hash=hmac.digest(key, b"key\0" + header.encode(), "sha256"),
        fingerprint=hmac.digest(key, b"body\0" + body, "sha256"),
    )


@asynccontextmanager
async def once(
    database: Database, clock: Clock, request: Request
) -> AsyncIterator[Ticket | Remembered]:
    """Hold the ticket for *request*, or yield what it was answered before.

    Raises KeyReused or InFlight. Whoever holds the ticket calls `remember` in
    the transaction of the change; a block that ends without it (a refusal, an
    error) leaves nothing behind.
    """
    async with database.begin() as connection:
        outcome = await take(connection, request, await clock.now(connection))
    try:
        yield outcome
    except BaseException:
        await _give_back(database, outcome)
        raise
    if isinstance(outcome, Ticket) and not outcome.remembered:
        await _give_back(database, outcome)


async def take(connection: AsyncConnection, request: Request, now: datetime) -> Ticket | Remembered:
    """Claim *request*; of several at once one gets the ticket."""
    (outcome,) = await take_all(connection, [request], now)
    if isinstance(outcome, RequestError):
        raise outcome
    return outcome


async def take_all(
    connection: AsyncConnection, requests: Sequence[Request], now: datetime
) -> list[Ticket | Remembered | RequestError]:
    """As `take`, in order, with InFlight and KeyReused as answers.

    Of several requests of one name the first gets the ticket; that it has not
    been answered yet is the others' answer.
    """
    first: dict[_Name, Request] = {}
    for request in requests:
        first.setdefault(request.name, request)
    # In one order for everybody, or two transactions could wait for each other's rows.
    tickets = [Ticket(first[name], secrets.token_bytes(16)) for name in sorted(first)]
    got = await _claim(connection, tickets, now)
    held = await _recall(connection, [name for name in first if name not in got])
    outcomes: list[Ticket | Remembered | RequestError] = []
    for request in requests:
        ticket = got.get(request.name)
        if ticket is None:
            outcomes.append(_of_another(request, held.get(request.name)))
        elif request is ticket.request:
            outcomes.append(ticket)
        else:
            same = hmac.compare_digest(request.fingerprint, ticket.request.fingerprint)
            outcomes.append(InFlight() if same else KeyReused())
    return outcomes


async def _claim(
    connection: AsyncConnection, tickets: Sequence[Ticket], now: datetime
) -> dict[_Name, Ticket]:
    """The tickets whose row was free, or abandoned, and is theirs now."""
    if not tickets:
        return {}
    rows = [
        {
            "api_key": one.request.api_key,
            "endpoint": one.request.endpoint,
            "key_hash": one.request.key_hash,
            "fingerprint": one.request.fingerprint,
            "owner": one.owner,
            "status": None,
            "answer": None,
            "started_at": now,
            "expires_at": now + _KEPT,
        }
        for one in tickets
    ]
    over = or_(
        idempotency.c.expires_at <= now,
        and_(idempotency.c.status.is_(None), idempotency.c.started_at <= now - _ABANDONED),
    )
    statement = upsert(connection, idempotency)
    taken = statement.on_conflict_do_update(
        index_elements=_COLUMNS,
        set_={one.name: one for one in statement.excluded if not one.primary_key},
        where=over,
    ).returning(idempotency.c.owner)
    owners = set((await connection.execute(taken, rows)).scalars())
    return {one.request.name: one for one in tickets if one.owner in owners}


async def remember(connection: AsyncConnection, ticket: Ticket, status: int, answer: bytes) -> None:
    """Store the answer; raises InFlight when another request took over meanwhile.

    The caller's transaction must then roll back: the change belongs to the other.
    """
    statement = update(idempotency).where(_is(ticket.request), _unanswered([ticket.owner]))
    result = await connection.execute(statement.values(status=status, answer=answer))
    if result.rowcount != 1:
        raise InFlight
    ticket.remembered = True


async def answer_all(
    connection: AsyncConnection, answers: Sequence[tuple[Ticket, bytes | None]], status: int
) -> None:
    """Remember answers in the transaction that took the tickets; None gives the name back.

    Until it commits nobody can take over: the rows of the tickets are locked.
    """
    given = [{"of": ticket.owner, "said": said} for ticket, said in answers if said is not None]
    if given:
        statement = update(idempotency).where(idempotency.c.owner == bindparam("of"))
        values = {"status": status, "answer": bindparam("said")}
        await connection.execute(statement.values(values), given)
    back = [ticket.owner for ticket, said in answers if said is None]
    if back:
        await connection.execute(delete(idempotency).where(_unanswered(back)))


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Delete what is older than a day; returns how many rows.

    Rows that somebody holds are left for the next time: waiting for them, while
    they wait for rows deleted here, would end in a deadlock.
    """
    old = select(*_COLUMNS).where(idempotency.c.expires_at <= now)
    free = old.with_for_update(skip_locked=True)
    result = await connection.execute(delete(idempotency).where(tuple_(*_COLUMNS).in_(free)))
    return result.rowcount


async def _recall(connection: AsyncConnection, names: Collection[_Name]) -> dict[_Name, Row[Any]]:
    """What is stored under these names; one that was given back meanwhile is missing."""
    if not names:
        return {}
    query = select(idempotency).where(tuple_(*_COLUMNS).in_(names))
    rows = await connection.execute(query)
    return {(row.api_key, row.endpoint, row.key_hash): row for row in rows}


def _of_another(request: Request, row: Row[Any] | None) -> Remembered | RequestError:
    """The answer to a request whose name another one has or had."""
    if row is None:  # released between the two statements
        return InFlight()
    if not hmac.compare_digest(row.fingerprint, request.fingerprint):
        return KeyReused()
    return InFlight() if row.status is None else Remembered(row.status, row.answer)


async def _give_back(database: Database, outcome: Ticket | Remembered) -> None:
    """End a claim without an answer; a claim that cannot be ended now is soon abandoned."""
    if isinstance(outcome, Remembered):
        return
    with suppress(StorageAway):
        async with database.begin() as connection:
            ours = and_(_is(outcome.request), _unanswered([outcome.owner]))
            await connection.execute(delete(idempotency).where(ours))


def _unanswered(owners: Sequence[bytes]) -> ColumnElement[bool]:
    """The owners' rows without an answer: a commit that seemed lost may have happened."""
    return and_(idempotency.c.owner.in_(owners), idempotency.c.status.is_(None))


def _is(request: Request) -> ColumnElement[bool]:
    return and_(*(column == value for column, value in zip(_COLUMNS, request.name, strict=True)))
