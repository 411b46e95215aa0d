"""Links that a mailbox asks for to see its data, and the short sessions that they open.

Of a link and of a session only a keyed hash is kept, so that who writes rows can
make neither; both end by the database's clock. That one was spent or ended the key
store has too (`consent/keys/own_sessions.py`): a row can be put back.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from storage.honesty import RowKeys, Value
from storage.locks import delete_free
from storage.types import among

fresh_link = tables.fresh_link
session = tables.session

LINK_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(minutes=30)
_TOKEN, _SESSION = "fresh_link.token", "session.id"


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


async def add(connection: AsyncConnection, keys: RowKeys, links: Sequence[FreshLink]) -> None:
    """Keep new links; the mails that carry them go into the same transaction."""
    rows = []
    for link in links:
        row = {
            "id": link.id,
            "token_hash": keys.keyed(_TOKEN, link.token_hash).mac,
            "subject": link.subject,
            "created_at": link.created_at,
            "expires_at": link.expires_at,
        }
        rows.append(row | keys.sign(fresh_link.name, *row.values())._asdict())
    if rows:
        await connection.execute(insert(fresh_link), rows)


async def get(
    connection: AsyncConnection, keys: RowKeys, ids: Iterable[str]
) -> dict[str, FreshLink]:
    """Links by their id; one that no gateway wrote is none."""
    wanted = list(ids)
    if not wanted:
        return {}
    query = select(fresh_link).where(among(fresh_link.c.id, wanted))
    links = (_link(keys, row) for row in await connection.execute(query))
    return {link.id: link for link in links if link is not None}


async def known(connection: AsyncConnection, ids: Iterable[str]) -> set[str]:
    """Those of these links that have a row, whoever wrote it."""
    query = select(fresh_link.c.id).where(among(fresh_link.c.id, ids))
    return set((await connection.execute(query)).scalars())


async def spent_of(
    connection: AsyncConnection, subjects: Iterable[str]
) -> dict[str, dict[str, datetime | None]]:
    """The links of these people, and when each was spent, by subject."""
    query = select(fresh_link.c.subject, fresh_link.c.id, fresh_link.c.spent_at)
    found: dict[str, dict[str, datetime | None]] = {}
    for row in await connection.execute(query.where(among(fresh_link.c.subject, subjects))):
        found.setdefault(row.subject, {})[row.id] = row.spent_at
    return found


async def find(connection: AsyncConnection, keys: RowKeys, token_hash: bytes) -> FreshLink | None:
    """Find a link that a gateway wrote, expired or not. Changes nothing."""
    kept = keys.all_keyed(_TOKEN, token_hash).values()
    query = select(fresh_link).where(fresh_link.c.token_hash.in_(kept))
    row = (await connection.execute(query)).first()
    if row is None:
        keys.require_whole()
        return None
    return _link(keys, row)


async def spend(connection: AsyncConnection, link: FreshLink, now: datetime) -> bool:
    """Use up a link that `find` found, and checked; False where it was used or is over.

    One statement: of two that come at once, one finds it unspent. Nothing else
    of the row is read again: by now somebody may have written it.
    """
    if not link.created_at <= now < link.expires_at:
        return False
    statement = update(fresh_link).where(
        fresh_link.c.id == link.id, fresh_link.c.spent_at.is_(None)
    )
    return (await connection.execute(statement.values(spent_at=now))).rowcount == 1


async def open_session(
    connection: AsyncConnection, keys: RowKeys, subject: str, now: datetime
) -> tuple[bytes, Session]:
    """Open a session; its id comes first, which is kept nowhere but in the person's browser."""
    raw = secrets.token_bytes(32)
    new = Session(keys.keyed(_SESSION, raw).mac, subject, now, now + SESSION_LIFE)
    row = {name: getattr(new, name) for name in _OF_SESSION}
    await connection.execute(
        insert(session), [row | keys.sign(session.name, *row.values())._asdict()]
    )
    return raw, new


async def session_of(
    connection: AsyncConnection, keys: RowKeys, raw: bytes, now: datetime
) -> Session | None:
    """The session of that id while it lasts; None for one that no gateway opened.

    One that opens later than now is from a clock that ran ahead, and would last
    until then.
    """
    kept = names_of(keys, raw)
    lasts = and_(session.c.opened_at <= now, session.c.expires_at > now)
    query = select(session).where(session.c.id_hash.in_(kept), lasts)
    row = (await connection.execute(query)).first()
    if row is None:
        keys.require_whole()
        return None
    fits = keys.fits(session.name, row.kid, row.mac, granting_session(row))
    return Session(row.id_hash, row.subject, row.opened_at, row.expires_at) if fits else None


async def close_session(connection: AsyncConnection, keys: RowKeys, raw: bytes) -> None:
    await connection.execute(delete(session).where(session.c.id_hash.in_(names_of(keys, raw))))


def names_of(keys: RowKeys, raw: bytes) -> list[bytes]:
    """What a session's row may be found by, under each key that made one."""
    return list(keys.all_keyed(_SESSION, raw).values())


async def end(connection: AsyncConnection, keys: RowKeys, subject: str, now: datetime) -> None:
    """Let no link or session of somebody open anything from *now* on; hold their gate.

    The rows of the links stay: mails that wait name them.
    """
    await connection.execute(delete(session).where(session.c.subject == subject))
    query = select(fresh_link).where(
        fresh_link.c.subject == subject, fresh_link.c.spent_at.is_(None)
    )
    for row in (await connection.execute(query.where(fresh_link.c.expires_at > now))).all():
        if _link(keys, row) is None:
            continue
        over = {**row._mapping, "expires_at": now}
        signed = keys.sign(fresh_link.name, *(over[name] for name in _SIGNED))
        ended = update(fresh_link).where(fresh_link.c.id == row.id)
        await connection.execute(ended.values(expires_at=now, **signed._asdict()))


async def forget(connection: AsyncConnection, now: datetime) -> None:
    """Delete sessions that are over, and links a day later: then nothing counts them."""
    over = now - timedelta(days=1)
    await delete_free(connection, fresh_link, fresh_link.c.expires_at <= over)
    await delete_free(connection, session, session.c.expires_at <= now)


_SIGNED = ("id", "token_hash", "subject", "created_at", "expires_at")
_OF_SESSION = ("id_hash", "subject", "opened_at", "expires_at")


def granting(row: Any) -> tuple[Value, ...]:
    """What is signed of a link's row. That it was spent is not: the log tells of it."""
    return tuple(getattr(row, name) for name in _SIGNED)


def granting_session(row: Any) -> tuple[Value, ...]:
    """What is signed of a session's row."""
    return tuple(getattr(row, name) for name in _OF_SESSION)


def kept(keys: RowKeys, row: Any) -> dict[str, object]:
    """What a row of the first release holds otherwise now: there it was a plain hash."""
    return {"token_hash": keys.keyed(_TOKEN, row.token_hash).mac}


def _link(keys: RowKeys, row: Any) -> FreshLink | None:
    if not keys.fits(fresh_link.name, row.kid, row.mac, granting(row)):
        return None
    return FreshLink(
        row.id, row.token_hash, row.subject, row.created_at, row.expires_at, row.spent_at
    )
