"""Shared rate limits: one upsert per hit (GCRA), on the database's clock.

Only keyed hashes are stored; their key changes every week and is destroyed.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import case, delete, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.schema.tables import rate_limit
from storage.secret import Secret
from storage.types import upsert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Limit:
    """*burst* hits at once, then one per *interval*."""

    name: str
    burst: int
    interval: timedelta


NETWORK = Limit("network", burst=60, interval=timedelta(seconds=2))
FORM = Limit("form", burst=600, interval=timedelta(minutes=1) / 600)
RECIPIENT_DOMAIN = Limit("recipient-domain", burst=600, interval=timedelta(hours=1) / 600)


@dataclass(frozen=True, slots=True)
class Wait:
    """A limit of network or form is reached: nothing was kept, and *how_long* says when to come."""

    how_long: timedelta


def limit_key(secret: Secret, limit: Limit, value: str) -> bytes:
    """The row that counts *value* under *limit*; says nothing without the weekly key."""
    return hmac.digest(secret.reveal(), f"{limit.name}\0{value}".encode(), "sha256")


async def hit(
    connection: AsyncConnection, key: bytes, limit: Limit, now: datetime
) -> timedelta | None:
    """Count one hit; None when it is within *limit*, else how long to wait.

    A refused hit is not counted. Hits at the same moment cannot pass together
    beyond the burst: the row lock of the upsert orders them.
    """
    moment = (now - _EPOCH) // _MICROSECOND
    interval = limit.interval // _MICROSECOND
    if await _pour(connection, key, limit, moment, interval * limit.burst) is not None:
        return None
    held = select(rate_limit.c.empty_at).where(rate_limit.c.key == key)
    empty_at = int((await connection.execute(held)).scalar_one())
    return _MICROSECOND * (empty_at - interval * (limit.burst - 1) - moment)


async def of_post(
    connection: AsyncConnection, secret: Secret, form: str, network: str | None, now: datetime
) -> Wait | None:
    """Count one post of a form; None when it is within the limits that may be told.

    Network first: a flood from one network must not use up the form for all others.
    """
    counted = [(FORM, form)]
    if network is not None:
        counted.insert(0, (NETWORK, network))
    for limit, value in counted:
        wait = await hit(connection, limit_key(secret, limit, value), limit, now)
        if wait is not None:
            return Wait(wait)
    return None


async def _pour(
    connection: AsyncConnection, key: bytes, limit: Limit, moment: int, most: int
) -> int | None:
    """Add one hit to the bucket unless it would hold over *most*; when it is empty again."""
    interval = limit.interval // _MICROSECOND
    stored = rate_limit.c.empty_at
    empty_at = case((stored > moment, stored), else_=literal(moment)) + interval
    statement = (
        upsert(connection, rate_limit)
        .values(key=key, empty_at=moment + interval)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={"empty_at": empty_at},
            where=empty_at <= moment + most,
        )
        .returning(stored)
    )
    poured: int | None = (await connection.execute(statement)).scalar_one_or_none()
    return poured


async def reserve(
    connection: AsyncConnection, key: bytes, limit: Limit, now: datetime, longest: timedelta
) -> timedelta | None:
    """Count one hit that may wait its turn; how long, or None where that is over *longest*.

    What is reserved is counted, so that those who wait get moments of their own.
    """
    moment = (now - _EPOCH) // _MICROSECOND
    most = limit.interval * limit.burst + longest
    empty_at = await _pour(connection, key, limit, moment, most // _MICROSECOND)
    if empty_at is None:
        return None
    early = empty_at - moment - limit.interval * limit.burst // _MICROSECOND
    return _MICROSECOND * max(early, 0)


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Delete the rows that limit nothing any more; returns how many."""
    moment = (now - _EPOCH) // _MICROSECOND
    result = await connection.execute(delete(rate_limit).where(rate_limit.c.empty_at <= moment))
    return result.rowcount
