"""Which backups were verified: put back into scratch, and found whole.

Who destroys a key asks here whether a copy of everything does without it. A row
is believed under its MAC only: with a planted one keys would be destroyed that
no backup does without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys.epochs import EpochState
from consent.keys.tables import verified_backup
from storage.honesty import RowKeys
from storage.signed import SignedTable
from storage.sound import fits
from storage.types import upsert

_KEPT = 10  # older ones are no news
_READABLE = fits(*(one for one in verified_backup.c if one.name not in ("kid", "mac")))


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A backup of data and key store that was whole when it was put back."""

    id: str
    taken_at: datetime
    verified_at: datetime
    epochs: Mapping[int, EpochState]  # as they stood in it
    wrapping: frozenset[int]  # epochs that keys in it are wrapped by


async def record(connection: AsyncConnection, keys: RowKeys, one: VerifiedBackup) -> None:
    """Remember it; verified again, its last verification counts."""
    values = {
        "id": one.id,
        "taken_at": one.taken_at,
        "verified_at": one.verified_at,
        "epochs": " ".join(f"{epoch}:{state}" for epoch, state in sorted(one.epochs.items())),
        "wrapping": " ".join(map(str, sorted(one.wrapping))),
    }
    row = values | keys.sign(verified_backup.name, *values.values())._asdict()
    statement = upsert(connection, verified_backup).values(row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=row))
    # Planted ones take none of ours away.
    ours = sorted(await _ours(connection, keys), key=lambda one: one.taken_at, reverse=True)
    old = [one.id for one in ours[_KEPT:]]
    await connection.execute(delete(verified_backup).where(verified_backup.c.id.in_(old)))


async def newest(connection: AsyncConnection, keys: RowKeys) -> VerifiedBackup | None:
    """The one that was taken last, of those that a gateway wrote down; None: there is none."""
    ours = await _ours(connection, keys)
    return max(ours, key=lambda one: one.taken_at, default=None)


async def _ours(connection: AsyncConnection, keys: RowKeys) -> list[VerifiedBackup]:
    rows = await connection.execute(select(verified_backup).where(_READABLE))
    return [_of(row) for row in rows if SIGNED.fits(keys, row)]


def _of(row: Any) -> VerifiedBackup:
    states = (word.split(":") for word in row.epochs.split())
    return VerifiedBackup(
        row.id,
        row.taken_at,
        row.verified_at,
        {int(epoch): EpochState(state) for epoch, state in states},
        frozenset(map(int, row.wrapping.split())),
    )


def _covered(row: Any) -> tuple[Any, ...]:
    return row.id, row.taken_at, row.verified_at, row.epochs, row.wrapping


SIGNED = SignedTable(verified_backup, select(verified_backup), _covered)
