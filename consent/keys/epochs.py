"""The epochs of the key-encryption keys: which there are, and how far each is in use.

The key store says which epoch wraps, not a keyring: who makes a key asks in the
same transaction, and holds the answer to its end. So nothing is ever wrapped
under an epoch that is not active any more, however long a process stood still.

A row carries a MAC. Only what a gateway wrote lets an epoch go: whoever writes
rows could have the keys of everybody destroyed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Table, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys import tables
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys
from storage.signed import SignedTable
from storage.sound import fits
from storage.types import upsert

WRAPPED: tuple[Table, ...] = (
    tables.dek,
    tables.intake_key,
    tables.limit_key,
    tables.content_key,
)
_TRIES = 3

epoch = tables.kek_epoch
_READABLE = fits(*(column for column in epoch.c if column.name not in ("kid", "mac")))


class EpochState(StrEnum):
    """Where a key-encryption key stands; epochs go through these in order."""

    ANNOUNCED = "announced"
    ACTIVE = "active"
    RETIRING = "retiring"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class Epoch:
    """A key-encryption key, since when it is in its state, and how many data keys it wraps."""

    epoch: int
    state: EpochState
    since: datetime
    keys: int = 0
    proof: str | None = field(default=None, kw_only=True)
    rewrapped_at: datetime | None = field(default=None, kw_only=True)
    released_at: datetime | None = field(default=None, kw_only=True)
    told: str | None = field(default=None, kw_only=True)
    honest: bool = field(default=True, kw_only=True)  # as a gateway wrote it

    @property
    def wraps(self) -> bool:
        """Whether anything may be wrapped under it."""
        retiring = self.state is EpochState.RETIRING and self.rewrapped_at is None
        return retiring or self.state is EpochState.ACTIVE

    def is_followed(self, others: Iterable[Epoch]) -> bool:
        """Whether it is over though its row says that it wraps, or will: that was put back.

        An epoch that comes into use ends all before it, and none follows with a smaller number.
        """
        newer = [one for one in others if one.epoch > self.epoch and one.honest]
        goes_on = self.state in (EpochState.ANNOUNCED, EpochState.ACTIVE)
        return goes_on and any(one.state is EpochState.ACTIVE for one in newer)

    def held_by(self, proofs: Mapping[int, str]) -> bool:
        """Whether a keyring of these has its very key, and no other one of that number.

        Nothing was announced of the first epoch, nor says the row of somebody else what was.
        """
        mine = proofs.get(self.epoch)
        return mine is not None and (not self.honest or self.proof in (None, mine))


async def install(database: Database, keys: RowKeys, number: int, now: datetime) -> None:
    """Record the active epoch, once, when the gateway is initialised."""
    state = EpochState.ACTIVE
    row = row_of(keys, Epoch(number, state, now, told=state))
    async with database.begin() as connection:
        statement = upsert(connection, epoch).values(row)
        await connection.execute(statement.on_conflict_do_nothing())


async def recorded(connection: AsyncConnection) -> dict[int, EpochState]:
    """How far each epoch is in use, by its number."""
    rows = await connection.execute(select(epoch.c.epoch, epoch.c.state).where(_READABLE))
    return {row.epoch: EpochState(row.state) for row in rows if row.state in _STATES}


async def wrapping(connection: AsyncConnection) -> frozenset[int]:
    """The epochs by which any key is wrapped, recorded or not."""
    found: set[int] = set()
    for table in WRAPPED:
        query = select(table.c.epoch).where(fits(*table.primary_key)).distinct()
        found |= set((await connection.execute(query)).scalars())
    return frozenset(found)


async def known(database: Database, keys: RowKeys) -> list[Epoch]:
    """Every epoch that was ever recorded, oldest first, with how many data keys each wraps."""
    query = select(tables.dek.c.epoch, func.count()).group_by(tables.dek.c.epoch)
    async with database.snapshot() as connection:
        counted = {number: count for number, count in await connection.execute(query)}
        found = await standing(connection, keys)
    return [replace(one, keys=counted.get(one.epoch, 0)) for one in found]


async def standing(connection: AsyncConnection, keys: RowKeys) -> list[Epoch]:
    """As `known`, without counting; rows that hold what no gateway writes are passed over."""
    rows = await connection.execute(select(epoch).where(_READABLE).order_by(epoch.c.epoch))
    return [_epoch(keys, row) for row in rows if row.state in _STATES]


async def active(
    connection: AsyncConnection, keys: RowKeys, held: Collection[int], database: str
) -> Epoch | None:
    """The epoch that wraps, which stays so until this transaction ends; None: none is recorded.

    What it wraps must be written in this transaction, or never.
    """
    query = select(epoch).where(epoch.c.state == EpochState.ACTIVE, _READABLE)
    query = query.order_by(epoch.c.epoch.desc()).with_for_update(read=True)
    for _ in range(_TRIES):
        found = [_epoch(keys, row) for row in await connection.execute(query)]
        if ours := _ours(found, held):
            return ours[0]
        # Who waited for the one that retired sees its successor with the next statement only.
        if (await connection.execute(select(epoch.c.epoch).limit(1))).first() is None:
            return None
    raise StorageAway(database)


async def lacking(
    connection: AsyncConnection, keys: RowKeys, proofs: Mapping[int, str]
) -> list[int]:
    """The epochs that wrap, or still may, and that a keyring of these *proofs* does not hold.

    As gateways wrote it: by a row of somebody else's no process would start.
    """
    found = [one for one in await standing(connection, keys) if one.honest]
    away = [one for one in found if one.wraps and not one.held_by(proofs)]
    # Nor by one of ours that was put back after its epoch ended: it wraps nothing any more.
    ended = [one for one in away if one.is_followed(found) or one.state is EpochState.RETIRING]
    return [one.epoch for one in away if one not in ended or await wraps(connection, one.epoch)]


async def elsewhere(
    connection: AsyncConnection,
    keys: RowKeys,
    numbers: Collection[int],
    proofs: Mapping[int, str],
) -> bool:
    """Whether any of these is an epoch that is not destroyed, whose key is not among *proofs*."""
    found = await standing(connection, keys)
    # One altered key under an epoch that somebody made up would keep everybody waiting.
    ours = [one for one in found if one.honest] or found
    return any(
        one.epoch in numbers and one.state is not EpochState.DESTROYED and not one.held_by(proofs)
        for one in ours
    )


async def announce(
    connection: AsyncConnection, keys: RowKeys, number: int, proof: str, now: datetime
) -> None:
    """Tell every node of a new epoch; nothing is wrapped under it yet."""
    row = row_of(keys, Epoch(number, EpochState.ANNOUNCED, now, proof=proof))
    statement = upsert(connection, epoch).values(row)
    await connection.execute(statement.on_conflict_do_nothing())


async def activate(
    connection: AsyncConnection, keys: RowKeys, held: Collection[int], number: int, now: datetime
) -> bool:
    """Let an announced epoch wrap from here on, and the one before no more.

    False, and nothing changes, while somebody makes keys: they hold what they asked.
    """
    found = {one.epoch: one for one in await _locked(connection, keys)}
    every = await standing(connection, keys)
    before = _ours([one for one in every if one.state is EpochState.ACTIVE], held)
    new = found.get(number)
    if new is None or not new.honest or new.state is not EpochState.ANNOUNCED:
        return False
    if new.is_followed(every):
        return False
    if not before or any(one.epoch not in found for one in before):
        return False
    for one in before:
        await _write(connection, keys, _retired(one, now))
    await _write(connection, keys, replace(new, state=EpochState.ACTIVE, since=now))
    return True


def _ours(found: Sequence[Epoch], held: Collection[int]) -> list[Epoch]:
    """Those that a gateway signed; where there is none, as of the first release, those we hold.

    What somebody else wrote would stop everybody who makes a key.
    """
    signed = [one for one in found if one.honest]
    return signed or [one for one in found if one.epoch in held]


def _retired(one: Epoch, now: datetime) -> Epoch:
    """What never held of an active one is not signed: whoever writes rows may have put it there."""
    return Epoch(
        one.epoch, EpochState.RETIRING, now, proof=one.proof if one.honest else None, told=one.told
    )


async def retire(connection: AsyncConnection, keys: RowKeys, number: int, now: datetime) -> bool:
    """End once more an epoch whose row was put back; what it may wrap is then wrapped anew."""
    every = await standing(connection, keys)
    for one in await _locked(connection, keys):
        if one.epoch == number and one.honest and one.is_followed(every):
            await _write(connection, keys, _retired(one, now))
            return True
    return False


async def note_rewrapped(
    connection: AsyncConnection, keys: RowKeys, number: int, now: datetime
) -> bool:
    """Write down that a retiring epoch wraps nothing any more; False where it does."""
    one = await _retiring(connection, keys, number)
    if one is None or one.rewrapped_at is not None or await wraps(connection, number):
        return False
    await _write(connection, keys, replace(one, rewrapped_at=now))
    return True


async def release(connection: AsyncConnection, keys: RowKeys, number: int, now: datetime) -> bool:
    """Write down that no backup needs a retiring epoch: from here on keyrings let it go."""
    one = await _retiring(connection, keys, number)
    if one is None or one.rewrapped_at is None or await wraps(connection, number):
        return False
    await _write(connection, keys, replace(one, released_at=one.released_at or now))
    return True


async def destroy(connection: AsyncConnection, keys: RowKeys, number: int, now: datetime) -> bool:
    """Write down that no copy of a released epoch is left, as the operator said."""
    one = await _retiring(connection, keys, number)
    if one is None or one.released_at is None or await wraps(connection, number):
        return False
    await _write(connection, keys, replace(one, state=EpochState.DESTROYED, since=now))
    return True


async def give_up(connection: AsyncConnection, keys: RowKeys, number: int, now: datetime) -> bool:
    """End an announced epoch whose key is lost: nothing was ever wrapped under it."""
    found = [one for one in await _locked(connection, keys) if one.epoch == number]
    for one in found:
        if one.honest and one.state is EpochState.ANNOUNCED:
            await _write(connection, keys, replace(one, state=EpochState.DESTROYED, since=now))
            return True
    return False


async def told(connection: AsyncConnection, one: Epoch) -> None:
    """Remember what the log knows of an epoch."""
    statement = update(epoch).where(epoch.c.epoch == one.epoch)
    await connection.execute(statement.values(told=one.state))


async def _retiring(connection: AsyncConnection, keys: RowKeys, number: int) -> Epoch | None:
    found = [one for one in await _locked(connection, keys) if one.epoch == number]
    mine = [one for one in found if one.honest and one.state is EpochState.RETIRING]
    return mine[0] if mine else None


async def _locked(connection: AsyncConnection, keys: RowKeys) -> list[Epoch]:
    """The rows that nobody holds, held now; who makes keys is not waited for, nor kept waiting."""
    query = select(epoch).where(_READABLE).order_by(epoch.c.epoch)
    rows = (await connection.execute(query.with_for_update(skip_locked=True))).all()
    return [_epoch(keys, row) for row in rows if row.state in _STATES]


async def wraps(connection: AsyncConnection, number: int) -> bool:
    """Whether anything is wrapped under this epoch, whatever its row says."""
    for table in WRAPPED:
        # What has no name of ours is nobody's key.
        query = select(exists().where(table.c.epoch == number, fits(*table.primary_key)))
        if (await connection.execute(query)).scalar():
            return True
    return False


async def some_of(
    connection: AsyncConnection, table: Table, number: int, limit: int
) -> Sequence[Any]:
    """Some of the keys of a kind that say to be wrapped under an epoch: name, and wrapped."""
    key = tuple(table.primary_key)
    query = select(*key, table.c.wrapped).where(table.c.epoch == number, fits(*key))
    return (await connection.execute(query.limit(limit))).all()


async def _write(connection: AsyncConnection, keys: RowKeys, one: Epoch) -> None:
    row = row_of(keys, one)
    await connection.execute(update(epoch).where(epoch.c.epoch == one.epoch).values(row))


_STATES = frozenset(map(str, EpochState))
_COVERED = ("epoch", "state", "since", "proof", "rewrapped_at", "released_at")


def row_of(keys: RowKeys, one: Epoch) -> dict[str, object]:
    """As it stands in the table, signed."""
    covered = {name: getattr(one, name) for name in _COVERED}
    signed = keys.sign(epoch.name, *covered.values())
    return covered | {"told": one.told} | signed._asdict()


def _epoch(keys: RowKeys, row: Any) -> Epoch:
    covered = {name: getattr(row, name) for name in _COVERED}
    honest = SIGNED.fits(keys, row)
    covered["state"] = EpochState(row.state)
    return Epoch(**covered, told=row.told, honest=honest)


def _covered(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _COVERED)


# A row without a key is of the first release, or counts for no more than one of it.
SIGNED = SignedTable(epoch, select(epoch).where(epoch.c.kid.is_not(None)), _covered)
