"""The epochs of the key-encryption keys: which there are, and how far each is in use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys import tables
from storage.database import Database
from storage.types import upsert


class EpochState(StrEnum):
    """Where a key-encryption key stands; epochs go through these in order."""

    ANNOUNCED = "announced"
    ACTIVE = "active"
    RETIRING = "retiring"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class Epoch:
    """A key-encryption key, and how many data keys it wraps."""

    epoch: int
    state: EpochState
    since: datetime
    keys: int


async def install(database: Database, active: int, now: datetime) -> None:
    """Record the active epoch, once, when the gateway is initialised."""
    row = {"epoch": active, "state": EpochState.ACTIVE, "since": now}
    async with database.begin() as connection:
        statement = upsert(connection, tables.kek_epoch).values(row)
        await connection.execute(statement.on_conflict_do_nothing())


async def recorded(connection: AsyncConnection) -> dict[int, EpochState]:
    """How far each epoch is in use, by its number."""
    rows = await connection.execute(select(tables.kek_epoch.c.epoch, tables.kek_epoch.c.state))
    return {row.epoch: EpochState(row.state) for row in rows}


async def wrapping(connection: AsyncConnection) -> frozenset[int]:
    """The epochs by which data keys are wrapped, recorded or not."""
    return frozenset((await connection.execute(select(tables.dek.c.epoch).distinct())).scalars())


async def known(database: Database) -> list[Epoch]:
    """Every epoch that was ever recorded, oldest first."""
    epoch, dek = tables.kek_epoch, tables.dek
    wrapped = select(func.count()).where(dek.c.epoch == epoch.c.epoch).scalar_subquery()
    query = select(epoch.c.epoch, epoch.c.state, epoch.c.since, wrapped.label("keys"))
    async with database.read() as connection:
        rows = await connection.execute(query.order_by(epoch.c.epoch))
        return [Epoch(r.epoch, EpochState(r.state), r.since, r.keys) for r in rows]
