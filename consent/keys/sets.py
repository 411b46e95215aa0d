"""Where the keys of the keyring's sets stand: each announced, active, retiring or destroyed.

The key store says it of every key that was begun since `gateway init`, and of those beside it; of
the others the keyring alone does. A row carries a MAC under the set `rows`: what somebody else
wrote puts no key into use and takes none away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys import tables
from consent.keys.wrapping import proof
from storage.errors import StorageAway
from storage.honesty import RowKeys
from storage.keysets import KeySet, KeyState
from storage.signed import SignedTable
from storage.sound import fits
from storage.types import upsert

set_key = tables.set_key
_STATES = frozenset(map(str, KeyState))
_READABLE = fits(*(column for column in set_key.c if column.name not in ("kid", "mac")))


class KeyName(NamedTuple):
    """A key by the kind of its set, and its number."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class SetKey:
    """A key of a set, since when it is in its state, and how far it is in that."""

    name: KeyName
    state: KeyState
    since: datetime
    proof: str  # what tells it from another one of its number
    renewed_at: datetime | None = field(default=None, kw_only=True)
    released_at: datetime | None = field(default=None, kw_only=True)
    told: str | None = field(default=None, kw_only=True)

    @property
    def counts(self) -> bool:
        """Whether rows that are ours may need it."""
        retiring = self.state is KeyState.RETIRING and self.released_at is None
        return retiring or self.state is KeyState.ACTIVE

    def is_followed(self, others: Iterable[SetKey]) -> bool:
        """Whether it is over though its row says that it makes rows, or will: that was put back."""
        if self.state not in (KeyState.ANNOUNCED, KeyState.ACTIVE):
            return False
        newer = (one for one in others if one.name.kind == self.name.kind and one.name > self.name)
        return any(one.state is KeyState.ACTIVE for one in newer)


@dataclass(frozen=True, slots=True)
class Standing:
    """The keys as gateways wrote them; *foreign*: by which keys the other rows say they are signed.

    Where none is ours, they are of a keyring that is newer than this one, or all altered.
    """

    keys: Sequence[SetKey] = ()
    foreign: frozenset[int] = frozenset()

    def of(self, kind: str) -> list[SetKey]:
        return [one for one in self.keys if one.name.kind == kind]


async def standing(connection: AsyncConnection, keys: RowKeys) -> Standing:
    """Every key that the key store knows of, by kind and number."""
    query = select(set_key).where(_READABLE).order_by(set_key.c.kind, set_key.c.number)
    return _standing(keys, (await connection.execute(query)).all())


async def install(
    connection: AsyncConnection, keys: RowKeys, secrets: KeySet, now: datetime
) -> None:
    """Record the key that signs these rows, once: by it a keyring that is behind is told apart.

    Where there is any row the rows say how keys stand, or somebody wrote them.
    """
    if (await connection.execute(select(set_key.c.kind).limit(1))).first() is None:
        name, mark = KeyName("rows", secrets.kid), proof(secrets.secret)
        one = SetKey(name, KeyState.ACTIVE, now, mark, told=str(KeyState.ACTIVE))
        statement = upsert(connection, set_key).values(row_of(keys, one))
        await connection.execute(statement.on_conflict_do_nothing())


async def announce(
    connection: AsyncConnection, keys: RowKeys, new: SetKey, beside: Iterable[SetKey]
) -> None:
    """Tell every node of a new key; nothing is made with it yet.

    *beside* are the keys of its set as our keyring has them: of what stands already, or
    of what a gateway wrote of them, nothing is changed.
    """
    known = {one.name for one in (await _locked(connection, keys, new.name.kind)).keys}
    for one in (*beside, new):
        if one.name in known:
            continue
        row = row_of(keys, one)
        statement = upsert(connection, set_key).values(row)
        # What somebody planted there is not in the way.
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["kind", "number"], set_=row)
        )


async def activate(
    connection: AsyncConnection, keys: RowKeys, name: KeyName, now: datetime
) -> bool:
    """Let an announced key make rows from here on, and the one before no more."""
    found = (await _locked(connection, keys, name.kind)).keys
    new = [one for one in found if one.name == name and one.state is KeyState.ANNOUNCED]
    if not new or new[0].is_followed(found):
        return False
    for one in found:
        if one.state is KeyState.ACTIVE:
            await _write(connection, keys, replace(one, state=KeyState.RETIRING, since=now))
        elif one.name == name:
            await _write(connection, keys, replace(one, state=KeyState.ACTIVE, since=now))
    return True


async def retire(connection: AsyncConnection, keys: RowKeys, name: KeyName, now: datetime) -> bool:
    """End once more a key whose row was put back: another one followed it."""
    found = (await _locked(connection, keys, name.kind)).keys
    for one in found:
        if one.name == name and one.is_followed(found):
            await _write(connection, keys, replace(one, state=KeyState.RETIRING, since=now))
            return True
    return False


async def note_renewed(
    connection: AsyncConnection, keys: RowKeys, name: KeyName, now: datetime
) -> bool:
    """Write down that nothing needs a retiring key any more."""
    return await _change(connection, keys, name, lambda one: replace(one, renewed_at=now))


async def release(connection: AsyncConnection, keys: RowKeys, name: KeyName, now: datetime) -> bool:
    """Write down that no backup needs it either: from here on keyrings let it go."""
    return await _change(connection, keys, name, lambda one: replace(one, released_at=now))


async def destroy(connection: AsyncConnection, keys: RowKeys, name: KeyName, now: datetime) -> bool:
    """Write down that no copy of a released key is left that would give anything."""
    over = KeyState.DESTROYED
    return await _change(connection, keys, name, lambda one: replace(one, state=over, since=now))


async def give_up(connection: AsyncConnection, keys: RowKeys, name: KeyName, now: datetime) -> bool:
    """End an announced key that is lost: nothing was ever made with it."""
    return await _change(
        connection,
        keys,
        name,
        lambda one: replace(one, state=KeyState.DESTROYED, since=now),
        KeyState.ANNOUNCED,
    )


async def told(connection: AsyncConnection, one: SetKey) -> None:
    """Remember what the log knows of a key."""
    await connection.execute(update(set_key).where(_is(one.name)).values(told=one.state))


async def _change(
    connection: AsyncConnection,
    keys: RowKeys,
    name: KeyName,
    change: Callable[[SetKey], SetKey],
    state: KeyState = KeyState.RETIRING,
) -> bool:
    for one in (await _locked(connection, keys, name.kind)).keys:
        if one.name == name and one.state is state:
            await _write(connection, keys, change(one))
            return True
    return False


async def _locked(connection: AsyncConnection, keys: RowKeys, kind: str) -> Standing:
    query = select(set_key).where(_READABLE, set_key.c.kind == kind)
    query = query.order_by(set_key.c.number).with_for_update()
    return _standing(keys, (await connection.execute(query)).all())


async def _write(connection: AsyncConnection, keys: RowKeys, one: SetKey) -> None:
    await connection.execute(update(set_key).where(_is(one.name)).values(row_of(keys, one)))


def _is(name: KeyName) -> Any:
    return and_(set_key.c.kind == name.kind, set_key.c.number == name.number)


def row_of(keys: RowKeys, one: SetKey) -> dict[str, object]:
    """As it stands in the table, signed."""
    covered = {
        "kind": one.name.kind,
        "number": one.name.number,
        "state": str(one.state),
        "since": one.since,
        "proof": one.proof,
        "renewed_at": one.renewed_at,
        "released_at": one.released_at,
    }
    signed = keys.sign(set_key.name, *covered.values())
    return covered | {"told": one.told} | signed._asdict()


def _standing(keys: RowKeys, rows: Iterable[Any]) -> Standing:
    ours, foreign = [], set()
    for row in rows:
        if row.state in _STATES and _is_ours(keys, row):
            ours.append(_key(row))
        elif isinstance(row.kid, int):
            foreign.add(row.kid)
    return Standing(ours, frozenset(foreign))


def _is_ours(keys: RowKeys, row: Any) -> bool:
    try:
        return SIGNED.fits(keys, row)
    except StorageAway:  # who stood still learns of it here: no planted row may prevent that
        return False


def _key(row: Any) -> SetKey:
    return SetKey(
        KeyName(row.kind, row.number),
        KeyState(row.state),
        row.since,
        row.proof,
        renewed_at=row.renewed_at,
        released_at=row.released_at,
        told=row.told,
    )


def _covered(row: Any) -> tuple[Any, ...]:
    names = ("kind", "number", "state", "since", "proof", "renewed_at", "released_at")
    return tuple(getattr(row, name) for name in names)


SIGNED = SignedTable(set_key, select(set_key), _covered)
