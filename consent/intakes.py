"""What was acknowledged and waits to be worked off, sealed until then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from storage.types import among

intake = tables.intake


class IntakeKind(StrEnum):
    """What was asked for; each kind is worked off by a duty of its own."""

    SIGN_UP = "sign-up"
    FRESH_LINK = "fresh-link"


@dataclass(frozen=True, slots=True)
class Intake:
    """One acknowledged request; *sealed* opens with the intake key *key_id*."""

    id: str
    key_id: str
    blind_index: bytes
    sealed: bytes
    received_at: datetime
    kind: IntakeKind = IntakeKind.SIGN_UP


def place(intake_id: str) -> tuple[str, str, str]:
    """What the seal binds a row to."""
    return ("intake", "sealed", intake_id)


async def add(connection: AsyncConnection, rows: Sequence[Intake]) -> None:
    """Keep acknowledged requests; once committed they survive this process."""
    values = [
        {
            "id": one.id,
            "kind": one.kind,
            "key_id": one.key_id,
            "blind_index": one.blind_index,
            "sealed": one.sealed,
            "received_at": one.received_at,
        }
        for one in rows
    ]
    await connection.execute(insert(intake), values)


async def oldest(
    connection: AsyncConnection, limit: int, kind: IntakeKind = IntakeKind.SIGN_UP
) -> list[Intake]:
    """The next rows of a kind in the order of arrival; ids are time-ordered."""
    query = select(intake).where(intake.c.kind == kind).order_by(intake.c.id).limit(limit)
    return [
        Intake(row.id, row.key_id, row.blind_index, row.sealed, row.received_at, kind)
        for row in await connection.execute(query)
    ]


async def lock(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """Lock the rows that are still there."""
    query = select(intake.c.id).where(among(intake.c.id, ids)).order_by(intake.c.id)
    return set((await connection.execute(query.with_for_update())).scalars())


async def remove(connection: AsyncConnection, ids: Sequence[str]) -> None:
    await connection.execute(delete(intake).where(among(intake.c.id, ids)))


async def keys_in_use(connection: AsyncConnection) -> set[str]:
    """Intake keys that some row still needs."""
    return set((await connection.execute(select(intake.c.key_id).distinct())).scalars())


async def waiting(connection: AsyncConnection) -> int:
    """How many requests have not been worked off."""
    return int((await connection.execute(select(func.count()).select_from(intake))).scalar_one())
