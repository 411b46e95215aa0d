"""Keys of callers: who may do what, for which senders and purposes."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.schema.tables import api_key
from storage.honesty import RowKeys
from storage.ids import random_id
from storage.secret import Secret
from storage.signed import Adopter, SignedTable

_USE = "api_key.token"
_FINDING = b"consentgw/reference/v1"
FRESH = 1.0  # seconds that a process may remember what a token opened
TOKEN = re.compile(r"cgw_[A-Za-z0-9_-]{43}", re.ASCII)


class Scope(StrEnum):
    MESSAGES_SEND = "messages:send"
    CAMPAIGNS_SEND = "campaigns:send"
    AUDIENCE_READ = "audience:read"
    PERMISSIONS_READ = "permissions:read"
    CONSENTS_WITHDRAW = "consents:withdraw"
    CHANGES_READ = "changes:read"
    CHANGES_ADDRESSES = "changes:addresses"
    SIGNUPS_CREATE = "signups:create"
    AUDIT_READ = "audit:read"
    SUBJECTS_MANAGE = "subjects:manage"
    SUBJECTS_READ = "subjects:read"
    EVIDENCE_OPEN = "evidence:open"


# What officers and auditors ask is of all purposes: refused to a key that is bound to some.
UNBOUND: Final = frozenset(
    {Scope.AUDIT_READ, Scope.SUBJECTS_MANAGE, Scope.SUBJECTS_READ, Scope.EVIDENCE_OPEN}
)


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
    kid: int | None = field(default=None, compare=False)  # what its token's hash was made with
    # What the references of its messages are found by: nobody has it but who shows the token.
    finding: Secret | None = field(default=None, compare=False, repr=False)

    @property
    def is_bound(self) -> bool:
        return bool(self.senders or self.purposes)

    def covers(self, purpose: str, sender: str | None) -> bool:
        """Whether it may speak for *purpose*; *sender* is the purpose's."""
        return (not self.purposes or purpose in self.purposes) and (
            not self.senders or sender is None or sender in self.senders
        )

    def found_by(self, reference: str) -> bytes | None:
        """What a message of this reference is found by; None for a key that nobody showed."""
        return None if self.finding is None else self.finding.mac(reference.encode())[:16]


@dataclass(frozen=True, slots=True)
class Altered:
    """A row that no gateway wrote as it stands: it opens nothing."""

    id: str


async def create(
    connection: AsyncConnection,
    keys: RowKeys,
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
    row = {
        "id": key.id,
        "name": name,
        "token_hash": keys.keyed(_USE, _hash(token)).mac,
        "scopes": " ".join(sorted(key.scopes)),
        "senders": " ".join(sorted(key.senders)),
        "purposes": " ".join(sorted(key.purposes)),
        "created_at": now,
        "revoked_at": None,
    }
    signed = row | keys.sign(api_key.name, *row.values())._asdict()
    await connection.execute(insert(api_key).values(signed))
    return key, token


async def find(connection: AsyncConnection, keys: RowKeys, token: str) -> ApiKey | None:
    """The key that *token* opens; None where no gateway made one, or it was revoked."""
    kept = keys.all_keyed(_USE, _hash(token)).values()
    row = (await connection.execute(select(api_key).where(api_key.c.token_hash.in_(kept)))).first()
    if row is None:
        keys.require_whole()
        return None
    if row.revoked_at is not None or not is_honest(keys, row):
        return None
    return replace(_key(row), finding=Secret(Secret(token.encode()).mac(_FINDING)))


async def listed(connection: AsyncConnection, keys: RowKeys) -> list[ApiKey | Altered]:
    """Every key there ever was, and every row beside them that no gateway wrote, oldest first."""
    rows = await connection.execute(select(api_key).order_by(api_key.c.created_at, api_key.c.id))
    return [_key(row) if is_honest(keys, row) else Altered(str(row.id)) for row in rows]


async def ended(connection: AsyncConnection) -> dict[str, bool]:
    """Of every key there ever was, whether it was revoked; whatever else its row holds."""
    rows = await connection.execute(select(api_key.c.id, api_key.c.revoked_at))
    return {row.id: row.revoked_at is not None for row in rows}


async def under(connection: AsyncConnection, keys: RowKeys, kid: int) -> list[str]:
    """The ids of keys that open something, whose token's hash was made with that key of ours."""
    query = select(api_key).where(api_key.c.kid == kid, api_key.c.revoked_at.is_(None))
    rows = await connection.execute(query.order_by(api_key.c.created_at, api_key.c.id))
    return [row.id for row in rows if is_honest(keys, row)]


async def renew(connection: AsyncConnection, keys: RowKeys, key_id: str, token: str) -> bool:
    """Make the hash of a *token* that was shown anew, with the key that makes rows now.

    Nothing changes where the row is another one than `find` found by it.
    """
    kept = keys.all_keyed(_USE, _hash(token)).values()
    query = select(api_key).where(api_key.c.id == key_id, api_key.c.token_hash.in_(kept))
    row = (await connection.execute(query.with_for_update(skip_locked=True))).first()
    if row is None or row.kid == keys.keys.kid or row.revoked_at is not None:
        return False
    if not is_honest(keys, row):
        return False
    new = {name: getattr(row, name) for name in _GRANTING}
    new["token_hash"] = keys.keyed(_USE, _hash(token)).mac
    signed = new | keys.sign(api_key.name, *new.values())._asdict()
    await connection.execute(update(api_key).where(api_key.c.id == key_id).values(signed))
    return True


async def revoke(connection: AsyncConnection, keys: RowKeys, key_id: str, now: datetime) -> bool:
    """End a key; False when there is none of that id, or it has ended already.

    Once this is committed, wait for `FRESH` before you tell anybody that it opens nothing.
    One whose row somebody altered opens nothing, but would again if that were
    undone: revoked, it does not.
    """
    query = select(api_key).where(api_key.c.id == key_id)
    row = (await connection.execute(query.with_for_update())).first()
    if row is None or (is_honest(keys, row) and row.revoked_at is not None):
        return False
    *granted, _ = _granting(row)
    changes: dict[str, Any] = {"revoked_at": now}
    # What is altered in more than this column cannot be told from a row that was never ours.
    if keys.fits(api_key.name, row.kid, row.mac, (*granted, None)):
        changes |= keys.sign(api_key.name, *granted, now)._asdict()
    await connection.execute(update(api_key).where(api_key.c.id == key_id).values(changes))
    return True


# In the order in which they are signed; that it was revoked is among them, or it could be undone.
_GRANTING = (
    "id",
    "name",
    "token_hash",
    "scopes",
    "senders",
    "purposes",
    "created_at",
    "revoked_at",
)


def is_honest(keys: RowKeys, row: Any) -> bool:
    """Say whether a gateway wrote this row."""
    return keys.fits(api_key.name, row.kid, row.mac, _granting(row))


_granting = attrgetter(*_GRANTING)


def _kept(keys: RowKeys, row: Any) -> dict[str, object]:
    """What a row of the first release holds otherwise now: there it was a plain hash."""
    return {"token_hash": keys.keyed(_USE, row.token_hash).mac}


SIGNED = SignedTable(api_key, select(api_key), _granting)
# They open nothing any more, whatever key their token's hash was made with.
REVOKED = replace(SIGNED, rows=SIGNED.rows.where(api_key.c.revoked_at.is_not(None)))
ADOPTER = Adopter(SIGNED, kept=_kept)


def _hash(token: str) -> bytes:
    # 256 random bits need no slow hash.
    return hashlib.sha256(token.encode()).digest()


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=frozenset(Scope(word) for word in row.scopes.split()),
        senders=frozenset(row.senders.split()),
        purposes=frozenset(row.purposes.split()),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        kid=row.kid,
    )
