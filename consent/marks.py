"""Who left has left from what was acknowledged before, too: nothing received before counts.

A mark says so of an address, whether or not anybody is known by it. It names
the address by the keyed hash of its look-up index, so that who leaves needs no
key of their own for it. Hash and MAC are made with a key of the set `marks`.
Marks are only ever added: one that somebody planted is not in the way of ours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import and_, delete, insert, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from storage.honesty import RowKeys, Value
from storage.ids import ordered_id
from storage.locks import delete_free
from storage.signed import SignedTable
from storage.sound import fits
from storage.types import among, among_hashes

mark = tables.mark

# A sign-up may be asked for by a page that looked a while before it is kept, and counts from that
# look: its mark must still be there. One that looked half as long ago is not kept any more.
GRACE = timedelta(minutes=10)
_EVERY = ""  # as the purpose: all of them
_USE = "mark.address"


class Left(NamedTuple):
    """A look-up index of an address, and the purpose that was left; None: all of them."""

    digest: bytes
    purpose: str | None


@dataclass(frozen=True, slots=True)
class Marked:
    """When some addresses were left last, as one transaction sees it; by index and purpose."""

    moments: Mapping[Left, datetime]

    def bars(
        self, indexes: Iterable[bytes], purpose: str | None, received_at: datetime, now: datetime
    ) -> bool:
        """Say whether what was received then, for *purpose* or for none, does not count any more.

        *indexes* are those of its address, under every key that a mark may have been made from.
        Of one and the same moment nobody knows what came first: who left is not
        mailed. Nor is that known of what is dated later than *now*, by a clock
        that ran ahead.
        """
        about = {Left(index, of) for index in indexes for of in (None, purpose)}
        left = [self.moments[one] for one in about if one in self.moments]
        return any(received_at <= left_at or received_at > now for left_at in left)


async def any_from(connection: AsyncConnection, until: datetime) -> bool:
    """Whether any mark is there of who left up to *until*."""
    query = select(mark.c.id).where(mark.c.left_at <= until).limit(1)
    return (await connection.execute(query)).first() is not None


class Marks:
    """Adds, reads and drops marks under keys of their own."""

    def __init__(self, keys: RowKeys) -> None:
        self.keys = keys

    async def add(self, connection: AsyncConnection, left: Iterable[Left], now: datetime) -> None:
        """Mark addresses under the lock that keeps intake from them; *now* was read after it."""
        rows = [self._row(*one, now) for one in dict.fromkeys(left)]
        if rows:
            await connection.execute(insert(mark), rows)

    async def read(self, connection: AsyncConnection, indexes: Collection[bytes]) -> Marked:
        """The marks of these addresses that a gateway made.

        Read them after the gates of those who are known: who leaves holds theirs.
        """
        hashes = {
            (kid, digest): index
            for index in set(indexes)
            for kid, digest in self.keys.all_keyed(_USE, index).items()
        }
        theirs = among_hashes(connection, mark.c.address_hash, [digest for _, digest in hashes])
        query = select(mark).where(theirs)
        moments: dict[Left, datetime] = {}
        for row in await connection.execute(query):
            index = hashes.get((row.kid, row.address_hash))
            if index is None or not SIGNED.fits(self.keys, row):
                continue
            left = Left(index, row.purpose or None)
            moments[left] = max(row.left_at, moments.get(left, row.left_at))
        return Marked(moments)

    async def drop(
        self, connection: AsyncConnection, oldest: datetime | None, now: datetime, limit: int
    ) -> int:
        """Delete marks that nothing waits any more to be compared with; returns how many.

        *oldest* is when the oldest request that waits, or may yet come to wait, was
        received; None where none does. One that is dated ahead is set to now, before that: it would
        swallow, until its moment comes, what the same address asks for anew.
        """
        await self._bring_back(connection, now, limit)
        before = min(now - GRACE, oldest or now)
        due = select(mark.c.id).where(mark.c.left_at < before).order_by(mark.c.left_at)
        return await delete_free(connection, mark, mark.c.id.in_(due.limit(limit)))

    async def _bring_back(self, connection: AsyncConnection, now: datetime, limit: int) -> None:
        is_ahead = mark.c.left_at > now
        # What has no name of ours cannot be asked for, and would be what every look finds.
        await delete_free(connection, mark, and_(is_ahead, not_(fits(mark.c.id))))
        ahead = select(mark).where(is_ahead, fits(mark.c.id)).order_by(mark.c.left_at)
        rows = (
            await connection.execute(ahead.limit(limit).with_for_update(skip_locked=True))
        ).all()
        if not rows:
            return
        await connection.execute(delete(mark).where(among(mark.c.id, [row.id for row in rows])))
        # Those that no gateway made counted for nothing.
        ours = [self._dated(row, now) for row in rows if SIGNED.fits(self.keys, row)]
        if ours:
            await connection.execute(insert(mark), ours)

    def _row(self, index: bytes, purpose: str | None, now: datetime) -> dict[str, object]:
        kid, digest = self.keys.keyed(_USE, index)
        named = {"address_hash": digest, "purpose": purpose or _EVERY, "kid": kid}
        return self._signed(named | {"id": ordered_id("mrk", now), "left_at": now})

    def _dated(self, row: Any, now: datetime) -> dict[str, object]:
        return self._signed({**row._mapping, "left_at": now})

    def _signed(self, row: Mapping[str, Any]) -> dict[str, object]:
        """With its MAC, under the key that its hash was made with."""
        values = [row[name] for name in _COVERED]
        return {**row, "mac": self.keys.sign(mark.name, *values, kid=row["kid"]).mac}


_COVERED = ("id", "address_hash", "purpose", "left_at")


def _granting(row: Any) -> Sequence[Value]:
    return tuple(getattr(row, name) for name in _COVERED)


SIGNED = SignedTable(mark, select(mark), _granting)
