"""Keys of callers: who may do what, for which senders and purposes."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.schema.tables import api_key
from storage.ids import random_id

TOKEN = re.compile(r"cgw_[A-Za-z0-9_-]{43}", re.ASCII)


class Scope(StrEnum):
    MESSAGES_SEND = "messages:send"
    PERMISSIONS_READ = "permissions:read"
    CONSENTS_WITHDRAW = "consents:withdraw"
    SIGNUPS_CREATE = "signups:create"
    AUDIT_READ = "audit:read"


@dataclass(frozen=True)
class ApiKey:
    """One caller; no senders or purposes means that it is bound to none."""

    id: str
    name: str
    scopes: frozenset[Scope]
    senders: frozenset[str]
    purposes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None = None

    def covers(self, purpose: str, sender: str | None) -> bool:
        """Whether it may speak for *purpose*; *sender* is the purpose's."""
        return (not self.purposes or purpose in self.purposes) and (
            not self.senders or sender is None or sender in self.senders
        )


async def create(
    connection: AsyncConnection,
    *,
    name: str,
    scopes: Iterable[Scope],
    senders: Iterable[str] = (),
    purposes: Iterable[str] = (),
    now: datetime,
) -> tuple[ApiKey, str]:
    """Store a new key and return it with its token, which nobody can read again."""
    token = f"cgw_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        random_id("key"), name, frozenset(scopes), frozenset(senders), frozenset(purposes), now
    )
    await connection.execute(
        insert(api_key).values(
            id=key.id,
            name=name,
            token_hash=_hash(token),
            scopes=" ".join(sorted(key.scopes)),
            senders=" ".join(sorted(key.senders)),
            purposes=" ".join(sorted(key.purposes)),
            created_at=now,
        )
    )
    return key, token


async def find(connection: AsyncConnection, token: str) -> ApiKey | None:
    """The key that *token* opens; None when there is none or it was revoked."""
    wanted = _hash(token)
    row = (await connection.execute(select(api_key).where(api_key.c.token_hash == wanted))).first()
    if row is None or row.revoked_at is not None:
        return None
    return _key(row) if hmac.compare_digest(row.token_hash, wanted) else None


async def listed(connection: AsyncConnection) -> list[ApiKey]:
    """Every key there ever was, oldest first."""
    rows = await connection.execute(select(api_key).order_by(api_key.c.created_at, api_key.c.id))
    return [_key(row) for row in rows]


async def revoke(connection: AsyncConnection, key_id: str, now: datetime) -> bool:
    """End a key; False when there is none of that id, or it has ended already."""
    result = await connection.execute(
        update(api_key)
        .where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return result.rowcount == 1


def _hash(token: str) -> bytes:
    # 256 random bits need no slow hash.
    return hashlib.sha256(token.encode()).digest()


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=frozenset(Scope(word) for word in row.scopes.split()),
        senders=frozenset(row.senders.split()),
        purposes=frozenset(row.purposes.split()),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
