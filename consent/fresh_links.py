"""Links that a mailbox asks for to see its data, and the short sessions that they open.

Of a link and of a session only a hash is kept; both end by the database's clock.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from storage.locks import delete_free
from storage.types import among

fresh_link = tables.fresh_link
session = tables.session

LINK_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class FreshLink:
    """One link, whether or not it can still be used."""

    id: str
    token_hash: bytes
    subject: str
    created_at: datetime
    expires_at: datetime
    spent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One visit of a person to their own pages."""

    id_hash: bytes
    subject: str
    opened_at: datetime
    expires_at: datetime


async def add(connection: AsyncConnection, links: Sequence[FreshLink]) -> None:
    """Keep new links; the mails that carry them go into the same transaction."""
    rows = [
        {
            "id": link.id,
            "token_hash": link.token_hash,
            "subject": link.subject,
            "created_at": link.created_at,
            "expires_at": link.expires_at,
        }
        for link in links
    ]
    if rows:
        await connection.execute(insert(fresh_link), rows)


async def get(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, FreshLink]:
    wanted = list(ids)
    if not wanted:
        return {}
    query = select(fresh_link).where(among(fresh_link.c.id, wanted))
    return {row.id: _link(row) for row in await connection.execute(query)}


async def find(connection: AsyncConnection, token_hash: bytes) -> FreshLink | None:
    """Find a link, expired or not. Changes nothing."""
    query = select(fresh_link).where(fresh_link.c.token_hash == token_hash)
    row = (await connection.execute(query)).first()
    return None if row is None else _link(row)


async def spend(connection: AsyncConnection, token_hash: bytes, now: datetime) -> str | None:
    """Use up a link and return whose it was; None where it was used or is over.

    One statement: of two that come at once, one finds it unspent.
    """
    statement = update(fresh_link).where(
        fresh_link.c.token_hash == token_hash,
        fresh_link.c.spent_at.is_(None),
        fresh_link.c.created_at <= now,
        fresh_link.c.expires_at > now,
    )
    spent = statement.values(spent_at=now).returning(fresh_link.c.subject)
    subject: str | None = (await connection.execute(spent)).scalar_one_or_none()
    return subject


async def open_session(connection: AsyncConnection, subject: str, now: datetime) -> bytes:
    """Open a session and return its id, which is kept nowhere but in the person's browser."""
    raw = secrets.token_bytes(32)
    row = {
        "id_hash": _hash(raw),
        "subject": subject,
        "opened_at": now,
        "expires_at": now + SESSION_LIFE,
    }
    await connection.execute(insert(session), [row])
    return raw


async def session_of(connection: AsyncConnection, raw: bytes, now: datetime) -> Session | None:
    """The session of that id while it lasts.

    One that opens later than now is from a clock that ran ahead, and would last
    until then.
    """
    lasts = and_(session.c.opened_at <= now, session.c.expires_at > now)
    query = select(session).where(session.c.id_hash == _hash(raw), lasts)
    row = (await connection.execute(query)).first()
    return None if row is None else Session(row.id_hash, row.subject, row.opened_at, row.expires_at)


async def close_session(connection: AsyncConnection, raw: bytes) -> None:
    await connection.execute(delete(session).where(session.c.id_hash == _hash(raw)))


async def forget(connection: AsyncConnection, now: datetime) -> None:
    """Delete sessions that are over, and links a day later: then nothing counts them."""
    over = now - timedelta(days=1)
    await delete_free(connection, fresh_link, fresh_link.c.expires_at <= over)
    await delete_free(connection, session, session.c.expires_at <= now)


def _hash(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def _link(row: Any) -> FreshLink:
    return FreshLink(
        row.id, row.token_hash, row.subject, row.created_at, row.expires_at, row.spent_at
    )
