"""Links to the desk, and the sessions that they open; both of an operator, and of nobody else.

As with a person's own: of both only keyed hashes are kept, so that who writes rows can make
neither, and both end by the database's clock. That a link was spent, and a session left, the
log says too, and whoever asks here asks it (`is_spent`, `is_left`).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail
from audit.kinds import Kind
from audit.rowmac import RowMacs
from consent import tokens
from gateway.schema.tables import operator_link, operator_session
from storage.honesty import RowKeys
from storage.ids import ordered_id
from storage.locks import delete_free
from storage.signed import SignedTable

MAILED_LIFE: Final = timedelta(minutes=30)
PRINTED_LIFE: Final = timedelta(hours=24)
IDLE: Final = timedelta(minutes=30)  # a session ends so long after the last step in it
LONGEST: Final = timedelta(hours=8)
_SELDOM: Final = timedelta(minutes=1)  # a step is noted once in so long
_STEPPED_BACK: Final = timedelta(days=1)  # a clock may have been, between two events
_DOMAIN: Final = b"consentgw/desk/v1\0"
_BY_PROVIDER: Final = b"consentgw/desk/provider/v1\0"
_TOKEN, _SESSION = "operator_link.token", "operator_session.id"


@dataclass(frozen=True, slots=True)
class DeskLink:
    """One link, whether or not it can still be used."""

    id: str
    token_hash: bytes = field(repr=False)
    operator: str
    subject: str | None  # to whose mailbox it went; none: it was printed
    created_at: datetime
    expires_at: datetime
    spent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit to the desk."""

    id_hash: bytes = field(repr=False)
    operator: str
    link: str
    opened_at: datetime
    seen_at: datetime
    expires_at: datetime
    kid: int = field(compare=False)  # what its hash was made with

    @property
    def ends_at(self) -> datetime:
        """When it ends, if nothing is done in it before."""
        return min(self.seen_at + IDLE, self.expires_at)


def hash_of(token: str) -> bytes | None:
    """What a token of the desk is found by: that of a person's own pages opens nothing here."""
    digest = tokens.hash_of(token)
    return None if digest is None else hashlib.sha256(_DOMAIN + digest).digest()


def new_link(operator: str, now: datetime, subject: str | None = None) -> tuple[str, DeskLink]:
    """A token, and its link: for the mailbox of *subject*, or to be printed."""
    token, _ = tokens.new_link_token()
    digest = hash_of(token)
    assert digest is not None  # noqa: S101 made a line above
    life = PRINTED_LIFE if subject is None else MAILED_LIFE
    return token, DeskLink(ordered_id("lnk", now), digest, operator, subject, now, now + life)


def by_provider(seed: bytes, operator: str, now: datetime) -> DeskLink:
    """What stands for a sign-in by the identity provider: spent, and found by its attempt.

    So it opens no second session, and ends, is told and counted as a link is.
    """
    digest = hashlib.sha256(_BY_PROVIDER + seed).digest()
    return DeskLink(ordered_id("lnk", now), digest, operator, None, now, now, now)


async def add(connection: AsyncConnection, keys: RowKeys, link: DeskLink) -> None:
    row = {
        "id": link.id,
        "token_hash": keys.keyed(_TOKEN, link.token_hash).mac,
        "operator": link.operator,
        "subject": link.subject,
        "created_at": link.created_at,
        "expires_at": link.expires_at,
    }
    signed = row | keys.sign(operator_link.name, *row.values())._asdict()
    await connection.execute(insert(operator_link).values(**signed, spent_at=link.spent_at))


async def mailed(connection: AsyncConnection, operator: str, since: datetime) -> int:
    """How many links went to an operator's mailbox since then."""
    query = select(func.count()).where(
        operator_link.c.operator == operator,
        operator_link.c.subject.is_not(None),
        operator_link.c.created_at > since,
    )
    return int((await connection.execute(query)).scalar_one())


async def find(connection: AsyncConnection, keys: RowKeys, token_hash: bytes) -> DeskLink | None:
    """Find a link that a gateway wrote, spent and expired or not. Changes nothing."""
    kept = keys.all_keyed(_TOKEN, token_hash).values()
    query = select(operator_link).where(operator_link.c.token_hash.in_(kept))
    row = (await connection.execute(query)).first()
    if row is None:
        keys.require_whole()
        return None
    if not LINKS.fits(keys, row):
        return None
    return _link(row)


async def is_spent(connection: AsyncConnection, macs: RowMacs, link: DeskLink) -> bool:
    """Whether the log tells that it was spent, whatever its row says."""
    kinds = [Kind.OPERATOR_SIGNED_IN]
    told = await trail.happenings(connection, macs, kinds, link.created_at - _STEPPED_BACK)
    return any(one.refs.get("link") == link.id for one in told)


async def spend(connection: AsyncConnection, link: DeskLink, now: datetime) -> bool:
    """Use it up; False where somebody else did, or its time is over."""
    these = update(operator_link).where(
        operator_link.c.id == link.id,
        operator_link.c.spent_at.is_(None),
        operator_link.c.expires_at > now,
    )
    return (await connection.execute(these.values(spent_at=now))).rowcount == 1


async def open_session(
    connection: AsyncConnection, keys: RowKeys, link: DeskLink, now: datetime
) -> tuple[bytes, bytes]:
    """Open a session; its id, which goes into the browser's cookie alone, and what is kept of it.

    It does not stand before the key store has it too (`consent/keys/own_sessions.py`).
    """
    raw = secrets.token_bytes(32)
    kept = keys.keyed(_SESSION, raw).mac
    row = {
        "id_hash": kept,
        "operator": link.operator,
        "link": link.id,
        "opened_at": now,
        "seen_at": now,
        "expires_at": now + LONGEST,
    }
    signed = row | keys.sign(operator_session.name, *row.values())._asdict()
    await connection.execute(insert(operator_session).values(signed))
    return raw, kept


async def session_of(
    connection: AsyncConnection, keys: RowKeys, raw: bytes, now: datetime
) -> Visit | None:
    """The session while it lasts; None for one that no gateway wrote."""
    row = (await connection.execute(_of(keys, raw))).first()
    if row is None:
        keys.require_whole()
        return None
    if not SESSIONS.fits(keys, row):
        return None
    found = _session(row)
    return found if found.opened_at <= now < found.ends_at else None


async def is_left(connection: AsyncConnection, macs: RowMacs, session: Visit) -> bool:
    """Whether the log tells that somebody signed out of it, whatever rows there are."""
    kinds = [Kind.OPERATOR_SIGNED_OUT]
    told = await trail.happenings(connection, macs, kinds, session.opened_at - _STEPPED_BACK)
    return any(one.refs.get("link") == session.link for one in told)


def is_due(session: Visit, now: datetime) -> bool:
    """Whether a step in it is to be noted."""
    return now - session.seen_at >= _SELDOM


async def note_step(
    connection: AsyncConnection, keys: RowKeys, session: Visit, now: datetime
) -> None:
    """Let it last from *now* on; one that ended meanwhile stays so."""
    row = {name: getattr(session, name) for name in _OF_SESSION} | {"seen_at": now}
    signed = keys.sign(operator_session.name, *row.values(), kid=session.kid)
    this = operator_session.c.id_hash == session.id_hash
    changed = update(operator_session).where(this, operator_session.c.seen_at < now)
    await connection.execute(changed.values(seen_at=now, **signed._asdict()))


def names_of(keys: RowKeys, raw: bytes) -> list[bytes]:
    """What a session's row may be called, under each of our keys."""
    return [*keys.all_keyed(_SESSION, raw).values()]


async def close(connection: AsyncConnection, keys: RowKeys, raw: bytes) -> bool:
    """End a session; False where it had ended."""
    kept = keys.all_keyed(_SESSION, raw).values()
    gone = delete(operator_session).where(operator_session.c.id_hash.in_(kept))
    return (await connection.execute(gone)).rowcount == 1


async def end(connection: AsyncConnection, operator: str | None = None) -> None:
    """Let no link and no session of an operator's open anything; None: of nobody at all."""
    for table in (operator_session, operator_link):
        gone = delete(table)
        await connection.execute(
            gone if operator is None else gone.where(table.c.operator == operator)
        )


async def forget(connection: AsyncConnection, now: datetime) -> None:
    """Delete sessions that are over, and links a day later: then nothing counts them."""
    over = operator_link.c.expires_at <= now - timedelta(days=1)
    await delete_free(connection, operator_link, over)
    idle = operator_session.c.seen_at <= now - IDLE
    await delete_free(connection, operator_session, idle | (operator_session.c.expires_at <= now))


async def kept(connection: AsyncConnection, keys: RowKeys) -> tuple[list[DeskLink], list[Visit]]:
    """All there are that a gateway wrote."""
    links = await connection.execute(select(operator_link))
    sessions = await connection.execute(select(operator_session))
    return (
        [_link(row) for row in links if LINKS.fits(keys, row)],
        [_session(row) for row in sessions if SESSIONS.fits(keys, row)],
    )


_OF_LINK = ("id", "token_hash", "operator", "subject", "created_at", "expires_at")
_OF_SESSION = ("id_hash", "operator", "link", "opened_at", "seen_at", "expires_at")


def _of(keys: RowKeys, raw: bytes) -> Any:
    kept = keys.all_keyed(_SESSION, raw).values()
    return select(operator_session).where(operator_session.c.id_hash.in_(kept))


def _link(row: Any) -> DeskLink:
    return DeskLink(*(getattr(row, name) for name in (*_OF_LINK, "spent_at")))


def _session(row: Any) -> Visit:
    return Visit(*(getattr(row, name) for name in (*_OF_SESSION, "kid")))


def _values_of_link(row: Any) -> tuple[object, ...]:
    """What is signed of a link. That it was spent is not: the log tells of it."""
    return tuple(getattr(row, name) for name in _OF_LINK)


def _values_of_session(row: Any) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _OF_SESSION)


LINKS = SignedTable(operator_link, select(operator_link), _values_of_link)
SESSIONS = SignedTable(operator_session, select(operator_session), _values_of_session)
