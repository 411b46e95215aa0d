"""Shared rate limits: one upsert per hit (GCRA), on the database's clock.

Only keyed hashes are stored; their key changes every week and is destroyed.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import case, delete, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.tables import rate_limit
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
    stored = rate_limit.c.empty_at
    empty_at = case((stored > moment, stored), else_=literal(moment)) + interval
    statement = (
        upsert(connection, rate_limit)
        .values(key=key, empty_at=moment + interval)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={"empty_at": empty_at},
            where=empty_at <= moment + interval * limit.burst,
        )
        .returning(rate_limit.c.key)
    )
    if (await connection.execute(statement)).first() is not None:
        return None
    held = (await connection.execute(select(stored).where(rate_limit.c.key == key))).scalar_one()
    return _MICROSECOND * (int(held) - interval * (limit.burst - 1) - moment)


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Delete the rows that limit nothing any more; returns how many."""
    moment = (now - _EPOCH) // _MICROSECOND
    result = await connection.execute(delete(rate_limit).where(rate_limit.c.empty_at <= moment))
    return result.rowcount
