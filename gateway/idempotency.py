"""The same request twice is done once: answers remembered for a day, by key and endpoint.

The answer is stored in the transaction of the change itself, so there is no
moment at which the change is made and the answer is not known.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import InFlight, Invalid, KeyReused
from gateway.tables import idempotency
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.secret import Secret
from storage.types import upsert

_KEPT = timedelta(hours=24)
_ABANDONED = timedelta(minutes=1)  # its process died: nothing was changed, another may try
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


@dataclass(frozen=True)
class Request:
    """What a caller asked, as far as telling requests apart needs it; nothing readable."""

    api_key: str
    endpoint: str
    key_hash: bytes
    fingerprint: bytes


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
    ticket = Ticket(request, secrets.token_bytes(16))
    fresh = {
        "fingerprint": request.fingerprint,
        "owner": ticket.owner,
        "status": None,
        "answer": None,
        "started_at": now,
        "expires_at": now + _KEPT,
    }
    over = or_(
        idempotency.c.expires_at <= now,
        and_(idempotency.c.status.is_(None), idempotency.c.started_at <= now - _ABANDONED),
    )
    statement = (
        upsert(connection, idempotency)
        .values(
            api_key=request.api_key,
            endpoint=request.endpoint,
            key_hash=request.key_hash,
            **fresh,
        )
        .on_conflict_do_update(
            index_elements=["api_key", "endpoint", "key_hash"], set_=fresh, where=over
        )
        .returning(idempotency.c.owner)
    )
    if (await connection.execute(statement)).first() is not None:
        return ticket
    return await _recall(connection, request)


async def remember(connection: AsyncConnection, ticket: Ticket, status: int, answer: bytes) -> None:
    """Store the answer; raises InFlight when another request took over meanwhile.

    The caller's transaction must then roll back: the change belongs to the other.
    """
    result = await connection.execute(
        update(idempotency)
        .where(
            _is(ticket.request),
            idempotency.c.owner == ticket.owner,
            idempotency.c.status.is_(None),
        )
        .values(status=status, answer=answer)
    )
    if result.rowcount != 1:
        raise InFlight
    ticket.remembered = True


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Delete what is older than a day; returns how many rows."""
    result = await connection.execute(delete(idempotency).where(idempotency.c.expires_at <= now))
    return result.rowcount


async def _recall(connection: AsyncConnection, request: Request) -> Remembered:
    row = (await connection.execute(select(idempotency).where(_is(request)))).first()
    if row is None:  # released between the two statements
        raise InFlight
    if not hmac.compare_digest(row.fingerprint, request.fingerprint):
        raise KeyReused
    if row.status is None:
        raise InFlight
    return Remembered(row.status, row.answer)


async def _give_back(database: Database, outcome: Ticket | Remembered) -> None:
    """End a claim without an answer; a claim that cannot be ended now is soon abandoned."""
    if isinstance(outcome, Remembered):
        return
    unanswered = and_(
        _is(outcome.request),
        idempotency.c.owner == outcome.owner,
        idempotency.c.status.is_(None),  # a commit that seemed lost may have happened
    )
    with suppress(StorageAway):
        async with database.begin() as connection:
            await connection.execute(delete(idempotency).where(unanswered))


def _is(request: Request) -> ColumnElement[bool]:
    return and_(
        idempotency.c.api_key == request.api_key,
        idempotency.c.endpoint == request.endpoint,
        idempotency.c.key_hash == request.key_hash,
    )
