"""What the verifications of the live log came to, where who writes the log cannot lie about it.

It stands in the guard's store, each row under a MAC whose key is in no database. One that was
planted is none; an older one that was put back makes the next verification look at more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import public
from audit.report import Since
from audit.tables import audit_verified
from storage import straight
from storage.honesty import RowKeys
from storage.locks import try_alone
from storage.signed import SignedTable
from storage.sound import sound
from storage.types import upsert

NIGHT_BEGINS = timedelta(hours=4)  # UTC, an hour behind the public checkpoint
_OF_LOG = select(audit_verified).where(
    audit_verified.c.log == bindparam("of"), sound(audit_verified)
)
_LONGEST = timedelta(hours=12)  # that one may take, before another process begins anew


class Scope(StrEnum):
    """How much was looked at; *begun*: somebody is at it."""

    WHOLE = "whole"
    NEWER = "newer"
    BEGUN = "begun"


@dataclass(frozen=True, slots=True)
class Verified:
    """One verification of the log and of the rows beside it; of each scope the last is kept."""

    scope: Scope
    at: datetime
    since: Since  # up to where the log was as it should be; nothing where it was not
    findings: int = 0  # in the log
    rows: int = 0  # beside it
    first_bad: int | None = None
    broken: bool = False  # entries are not what was signed

    @property
    def ok(self) -> bool:
        return not self.findings and not self.rows


NOWHERE = Since(1, 0, bytes(32))


def last(known: Sequence[Verified]) -> Verified | None:
    """The one that ended last."""
    return max((one for one in known if one.scope is not Scope.BEGUN), key=_at, default=None)


def go_on(known: Sequence[Verified], now: datetime, every: timedelta) -> Since | None:
    """From where the next one may go on; None: it looks at everything.

    It does so at least *every* so often, and where the last one found anything.
    """
    newest = last(known)
    whole = next((one for one in known if one.scope is Scope.WHOLE), None)
    if newest is None or whole is None or newest.findings or whole.findings:
        return None
    fresh = timedelta() <= now - whole.at < every
    return newest.since if fresh and newest.since.size else None


def is_due(known: Sequence[Verified], opened_at: datetime, now: datetime) -> bool:
    """Whether a night has begun since the last one, or since the log was opened.

    Not while somebody is at it.
    """
    newest = last(known)
    begun = next((one.at for one in known if one.scope is Scope.BEGUN), None)
    if begun is not None and timedelta() <= now - begun < _LONGEST:
        return False
    return public.is_due(opened_at if newest is None else newest.at, now, NIGHT_BEGINS)


def refuted(known: Sequence[Verified], generation: int) -> Verified | None:
    """The last one, where it found that entries of this log are not what was signed."""
    newest = last(known)
    ours = newest is not None and newest.since.generation == generation
    return newest if ours and newest is not None and newest.broken else None


async def known(connection: AsyncConnection, keys: RowKeys, log: str) -> list[Verified]:
    """Those of a log, by the origin of the *first*, that a gateway wrote."""
    rows = await straight.rows(connection, _OF_LOG, {"of": log})
    scopes = set(Scope)  # a later release may know others
    return [_of(row) for row in rows if SIGNED.fits(keys, row) and row.scope in scopes]


async def record(connection: AsyncConnection, keys: RowKeys, log: str, one: Verified) -> None:
    """Keep it in the place of the last of its scope; who was at it is no more."""
    await _write(connection, keys, log, one)
    if one.scope is not Scope.BEGUN:
        await _write(connection, keys, log, Verified(Scope.BEGUN, one.at - _LONGEST, NOWHERE))


async def begin(
    connection: AsyncConnection, keys: RowKeys, log: str, opened_at: datetime, now: datetime
) -> bool:
    """Say that this process is at it; False where it is not due, or another one is."""
    if not await try_alone(connection, f"audit verification {log}"):
        return False
    if not is_due(await known(connection, keys, log), opened_at, now):
        return False
    await record(connection, keys, log, Verified(Scope.BEGUN, now, NOWHERE))
    return True


async def _write(connection: AsyncConnection, keys: RowKeys, log: str, one: Verified) -> None:
    values = {
        "log": log,
        "scope": one.scope,
        "at": one.at,
        "generation": one.since.generation,
        "size": one.since.size,
        "root": one.since.root,
        "findings": one.findings,
        "rows": one.rows,
        "first_bad": one.first_bad,
        "broken": int(one.broken),
    }
    row = values | keys.sign(audit_verified.name, *values.values())._asdict()
    statement = upsert(connection, audit_verified).values(row)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["log", "scope"], set_=row)
    )


def _of(row: Any) -> Verified:
    return Verified(
        Scope(row.scope),
        row.at,
        Since(row.generation, row.size, row.root),
        row.findings,
        row.rows,
        row.first_bad,
        bool(row.broken),
    )


def _at(one: Verified) -> datetime:
    return one.at


_COVERED = tuple(one.name for one in audit_verified.c if one.name not in ("kid", "mac"))


def _covered(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _COVERED)


SIGNED = SignedTable(audit_verified, select(audit_verified), _covered)
