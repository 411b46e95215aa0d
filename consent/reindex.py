"""People are found under a new look-up key, too, and what an old one left behind goes.

Each function is one page of `gateway/flows/keeping/reindexing.py`, which opens the addresses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import tables
from consent.keys import blind
from consent.lookup import SIGNED
from consent.model import SubjectState
from storage import paging
from storage.honesty import RowKeys
from storage.keysets import KeySet
from storage.locks import delete_free
from storage.types import among, among_hashes, is_name, texts
from storage.writing import insert_all

index = tables.subject_index

Place = tuple[bytes, int]  # of a row: its hash, and the key that made it
Row = Mapping[str, Any]
_SUBJECT = tables.subject
_ADDRESSES = select(_SUBJECT.c.id, _SUBJECT.c.address).where(
    among(_SUBJECT.c.id, texts("subjects")), _SUBJECT.c.state == SubjectState.LIVE
)
# As `gates.lock`, in its order; no column more than is asked, of so many.
_HELD = _ADDRESSES.order_by(_SUBJECT.c.id).with_for_update(key_share=True)


class Reindex:
    """Rows that people are found by, under each key of the set `lookup`."""

    def __init__(self, keys: KeySet) -> None:
        self._set = keys
        self._keys = RowKeys(keys)

    def hash_under(self, kid: int, canonical: str) -> bytes | None:
        """What an address is found by under one of our keys; None where it is not ours."""
        key = self._set.get(kid)
        return None if key is None else blind.blind_index(key, canonical)

    async def found_by(
        self, connection: AsyncConnection, old: int, after: Place | None, limit: int
    ) -> tuple[Place | None, dict[str, bytes]]:
        """Of the next rows, the people whom *old* finds and the active key does not, by what.

        As a gateway wrote it: no other row gets an honest one beside it. None: the last page.
        """
        page = paging.page(select(index), (index.c.hash, index.c.kid), after, limit + 1)
        rows, behind = paging.cut((await connection.execute(page)).all(), limit)
        last = None if behind is None else (behind.hash, behind.kid)
        ours = {
            row.subject: row.hash
            for row in rows
            if row.kid == old and SIGNED.fits(self._keys, row) and is_name(row.subject)
        }
        named = select(index).where(among(index.c.subject, ours), index.c.kid == self._set.kid)
        known = (await connection.execute(named)).all() if ours else []
        done = {row.subject for row in known if SIGNED.fits(self._keys, row)}
        return last, {subject: digest for subject, digest in ours.items() if subject not in done}

    async def addresses(
        self, connection: AsyncConnection, people: Collection[str], *, hold: bool = False
    ) -> dict[str, bytes]:
        """What the addresses of those who live are sealed as; *hold*: their gates are locked."""
        query = _HELD if hold else _ADDRESSES
        found = await connection.execute(query, {"subjects": people})
        return {one: sealed for one, sealed in found if sealed is not None}

    def row(self, subject: str, canonical: str) -> Row:
        """What finds a person by a canonical address, by the active key."""
        kid, digest = self._set.kid, blind.blind_index(self._set.secret, canonical)
        mac = self._keys.sign(index.name, digest, subject, kid=kid).mac
        return {"hash": digest, "kid": kid, "subject": subject, "mac": mac}

    async def add_again(self, connection: AsyncConnection, rows: Sequence[Row]) -> int:
        """Let people be found by these rows, too; how many are by rows that were not there.

        Hold their gates. A row that no gateway wrote is not in the way; whose an address is
        by an honest one it stays.
        """
        kid = self._set.kid  # raises where we stood still, and others may have let it go
        rows = [row for row in rows if row["kid"] == kid]
        done = await insert_all(connection, index, rows, new_only=True)
        if done == len(rows):
            return done
        hashes = among_hashes(connection, index.c.hash, [row["hash"] for row in rows])
        there = await connection.execute(select(index).where(hashes, index.c.kid == kid))
        planted = {row.hash for row in there if not SIGNED.fits(self._keys, row)}
        again = [row for row in rows if row["hash"] in planted]
        if again:
            theirs = among_hashes(connection, index.c.hash, planted)
            await connection.execute(delete(index).where(theirs, index.c.kid == kid))
        return done + await insert_all(connection, index, again, new_only=True)

    async def needs(self, connection: AsyncConnection, old: int) -> bool:
        """Whether anybody who lives is found by *old* and by no other key of ours."""
        alone = select(index.c.hash).where(index.c.kid == old, self._alone(old))
        return (await connection.execute(alone.limit(1))).first() is not None

    def _alone(self, old: int) -> ColumnElement[bool]:
        """Of a row: whether who is found by it lives, and is found by no key of ours but *old*."""
        subject, other = tables.subject, index.alias()
        lives = select(subject.c.id).where(
            subject.c.id == index.c.subject, subject.c.state == SubjectState.LIVE
        )
        newer = [key.kid for key in self._set.keys if key.secret is not None and key.kid != old]
        named = select(other.c.hash).where(
            other.c.subject == index.c.subject, other.c.kid.in_(newer)
        )
        return and_(lives.exists(), ~named.exists())

    async def drop(
        self, connection: AsyncConnection, old: int, after: Place | None, limit: int
    ) -> tuple[Place | None, int]:
        """Of the next rows, delete those of a key that is none of ours any more; how many.

        Of who is found by nothing else, as in an older backup that was put back, they stay. None
        for the place of the last page.
        """
        key = (index.c.hash, index.c.kid)
        page = paging.page(select(*key), key, after, limit + 1)
        rows, behind = paging.cut((await connection.execute(page)).all(), limit)
        last = None if behind is None else (behind.hash, behind.kid)
        theirs = [row.hash for row in rows if row.kid == old]
        if old in self._set.live or not theirs:
            return last, 0
        return last, await delete_free(
            connection,
            index,
            and_(index.c.kid == old, index.c.hash.in_(theirs), ~self._alone(old)),
        )
