"""Operators: who may sit at the desk, in which role; who that is, is sealed in their row.

The row alone opens nothing for long: that somebody was revoked, the log says too, and whoever
asks here asks it (`ended`). An operator is no subject, whoever's mailbox theirs is.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail
from audit.entry import Opener, Sealer
from audit.errors import KeyDamaged
from audit.kinds import Kind
from audit.rowmac import RowMacs
from consent import address
from consent.address import Address
from consent.keys.vault import Compartment
from gateway.oidc.id_token import Account
from gateway.schema.tables import operator
from storage.honesty import RowKeys
from storage.signed import SignedTable
from storage.types import among

_STAFF: Final = Compartment.STAFF
# What the rows tell of, each by its last one.
STATES: Final = (
    Kind.OPERATOR_CREATED,
    Kind.OPERATOR_BOUND,
    Kind.OPERATOR_REVOKED,
    Kind.OPERATOR_FORGOTTEN,
)
ROLL: Final = "operators"  # the lock of whoever enters or binds somebody: of two one is first


class Role(StrEnum):
    """What somebody at the desk may do: everything, look alone, or nothing about anybody."""

    DPO = "dpo"
    AUDITOR = "auditor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Member:
    """One operator, as a gateway wrote the row."""

    id: str
    role: Role
    identity: bytes | None = field(repr=False)  # sealed
    mailbox: str | None  # the subject that is on file for the mails with their links alone
    created_at: datetime
    revoked_at: datetime | None
    eid: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """Who that is: where their links go, and the function by which people are told of them."""

    email: Address
    name: str = field(repr=False)
    account: Account | None = None  # at the identity provider, since they first came by it


@dataclass(frozen=True, slots=True)
class Altered:
    """A row that no gateway wrote as it stands: it opens nothing."""

    id: str


def seal(operator_id: str, identity: Identity, sealer: Sealer) -> bytes:
    """An identity, for the row."""
    said: dict[str, Any] = {"email": identity.email.mailbox, "name": identity.name}
    if identity.account is not None:
        at = identity.account
        said["account"] = {"issuer": at.issuer, "subject": at.subject}
    return sealer.seal(operator_id, _STAFF, _place(operator_id), json.dumps(said).encode())


def identity_of(one: Member, opener: Opener) -> Identity | None:
    """Who that is; None where nobody can read it (any more)."""
    if one.identity is None:
        return None
    try:
        raw = opener.open(one.id, _STAFF, _place(one.id), one.identity)
    except (KeyDamaged, ValueError):
        return None
    if raw is None:
        return None
    said = json.loads(raw)
    account = Account(**said["account"]) if "account" in said else None
    return Identity(address.parse(said["email"]), said["name"], account)


async def add(connection: AsyncConnection, keys: RowKeys, one: Member) -> None:
    await connection.execute(insert(operator).values(_row(keys, one)))


async def write(connection: AsyncConnection, keys: RowKeys, one: Member) -> None:
    """Store the row as it is to stand; hold it."""
    await connection.execute(
        update(operator).where(operator.c.id == one.id).values(_row(keys, one))
    )


async def get(connection: AsyncConnection, keys: RowKeys, operator_id: str) -> Member | None:
    """One that a gateway wrote, revoked or not."""
    row = (await connection.execute(select(operator).where(operator.c.id == operator_id))).first()
    return None if row is None else _read(keys, row)


async def lock(
    connection: AsyncConnection, keys: RowKeys, operator_id: str
) -> Member | Altered | None:
    """Hold a row; whoever holds a gate too took that before."""
    query = select(operator).where(operator.c.id == operator_id).with_for_update()
    row = (await connection.execute(query)).first()
    return None if row is None else _read(keys, row) or Altered(operator_id)


async def listed(connection: AsyncConnection, keys: RowKeys) -> list[Member | Altered]:
    """Every operator there ever was, and every row beside them, oldest first."""
    query = select(operator).order_by(operator.c.created_at, operator.c.id)
    rows = (await connection.execute(query)).all()
    return [_read(keys, row) or Altered(str(row.id)) for row in rows]


async def end_altered(connection: AsyncConnection, operator_id: str, now: datetime) -> None:
    """Note on a row that no gateway wrote as it stands that it was revoked; the log decides."""
    these = operator.c.id == operator_id
    await connection.execute(update(operator).where(these).values(revoked_at=now))


async def named(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Of which of these a row, whoever wrote it, holds who they are: their keys stay."""
    query = select(operator.c.id).where(among(operator.c.id, ids), operator.c.identity.is_not(None))
    return set((await connection.execute(query)).scalars())


async def ended(connection: AsyncConnection, macs: RowMacs) -> set[str]:
    """Who was revoked, as the log tells: a row that was put back whole says otherwise."""
    told = await trail.happenings(connection, macs, [Kind.OPERATOR_REVOKED])
    return {one.refs.get("operator", "") for one in told}


async def written_by(connection: AsyncConnection, macs: RowMacs, operator_id: str) -> bytes | None:
    """By which event the row is what it is, as the log tells: one that was put back has another."""
    told = await trail.happenings(connection, macs, STATES)
    eids = [one.eid for one in told if one.refs.get("operator") == operator_id]
    return eids[-1] if eids else None


def standing(rows: Iterable[Member | Altered], revoked: Collection[str]) -> Mapping[str, Member]:
    """Those who may sign in, by their id, in their order."""
    ours: Sequence[Member] = [one for one in rows if isinstance(one, Member)]
    return {one.id: one for one in ours if one.revoked_at is None and one.id not in revoked}


_GRANTING = ("id", "role", "identity", "mailbox", "created_at", "revoked_at", "eid")
_granting = attrgetter(*_GRANTING)
SIGNED = SignedTable(operator, select(operator), _granting)


def _row(keys: RowKeys, one: Member) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in _GRANTING} | {"role": str(one.role)}
    return values | keys.sign(operator.name, *values.values())._asdict()


def _read(keys: RowKeys, row: Any) -> Member | None:
    if not SIGNED.fits(keys, row):
        return None
    return Member(
        row.id,
        Role(row.role),
        row.identity,
        row.mailbox,
        row.created_at,
        row.revoked_at,
        row.eid,
    )


def _place(operator_id: str) -> tuple[str, str, str]:
    return ("operator", "identity", operator_id)
