"""Tables whose rows carry a MAC: what it covers, which do not fit, how old ones are signed.

Rows of the first release are signed once, when an installation is upgraded,
page by page, each page in a transaction of its own: a run that was killed goes
on where it ended. A row that could not be signed is given no key that ever was
(`NOBODYS`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Select, Table, Update, and_, func, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import paging
from storage.database import Database
from storage.honesty import RowKeys
from storage.sound import fits

NOBODYS = 0  # kids begin at one
_AT_ONCE = 500
_ANEW_AT_ONCE = 100  # rows that others wait for meanwhile
Key = tuple[Any, ...]  # of a row, in the order of its table's primary key


@dataclass(frozen=True, slots=True)
class SignedTable:
    """What the MAC of a row covers; *rows* gives those that carry one, with what else it needs."""

    table: Table
    rows: Select[Any]
    values: Callable[[Any], Sequence[object]]

    def fits(self, keys: RowKeys, row: Any) -> bool:
        """Say whether a gateway wrote this row, whatever it holds."""
        return keys.fits(self.table.name, row.kid, row.mac, self.values(row))

    async def strangers(self, data: Database, keys: RowKeys) -> AsyncIterator[str]:
        """Name the rows that no gateway wrote; memory does not grow with the table."""
        async with data.read() as connection:
            for name in await paging.strange(connection, self.table, _AT_ONCE):
                yield name
        async for row in self._each(data, self.rows):
            if not self.fits(keys, row):
                yield f"{self.table.name} {_name(self.key_of(row))}"

    async def has_ours(self, data: Database, keys: RowKeys, kid: int | None = None) -> bool:
        """Whether there is a row that a gateway wrote with one of these keys, or with that one."""
        column = self.table.c.kid
        theirs = self.rows.where(column > NOBODYS if kid is None else column == kid)
        async for row in self._each(data, theirs):
            if self.fits(keys, row):
                return True
        return False

    async def sign_anew(
        self, data: Database, keys: RowKeys, old: int, after: Key | None
    ) -> tuple[Key | None, int]:
        """Sign the next rows behind *after* that fit under *old*, and no others, with today's key.

        Returns the last that was looked at, None behind the last of all, and how many were
        signed. Who changes a row meanwhile signs it anyway: it is passed over.
        """
        under = self.rows.where(self.table.c.kid == old)
        query = paging.page(under, self.key, after, _ANEW_AT_ONCE)
        async with data.read() as connection:
            seen = (await connection.execute(query)).all()
        if not seen:
            return None, 0
        last = self.key_of(seen[-1])
        if not any(self.fits(keys, row) for row in seen):
            return last, 0
        async with data.begin() as connection:
            held = query.with_for_update(skip_locked=True, key_share=True, of=self.table)
            rows = [row for row in await connection.execute(held) if self.fits(keys, row)]
            for row in rows:
                await connection.execute(self._anew(keys, row))
        return last, len(rows)

    def _anew(self, keys: RowKeys, row: Any) -> Update:
        signed = keys.sign(self.table.name, *self.values(row))
        this = and_(*(column == getattr(row, column.name) for column in self.key))
        # What changed since it was read was signed by who changed it.
        same = and_(self.table.c.kid == row.kid, self.table.c.mac == row.mac)
        return update(self.table).where(this, same).values(signed._asdict())

    async def _each(self, data: Database, query: Select[Any]) -> AsyncIterator[Any]:
        after: Key | None = None
        while True:
            async with data.read() as connection:
                page = paging.page(query, self.key, after, _AT_ONCE)
                rows = (await connection.execute(page)).all()
            for row in rows:
                yield row
            if len(rows) < _AT_ONCE:
                return
            after = self.key_of(rows[-1])

    @property
    def key(self) -> Sequence[Column[Any]]:
        return tuple(self.table.primary_key)

    def key_of(self, row: Any) -> Key:
        return tuple(getattr(row, column.name) for column in self.key)


def _name(key: Key) -> str:
    return "/".join(part.hex() if isinstance(part, bytes) else str(part) for part in key)


@dataclass(frozen=True, slots=True)
class Adopter:
    """How rows of the first release are signed.

    *before* says whether the first release had written a row, as far as its rows
    tell; *kept* gives columns that are kept otherwise now.
    """

    signed: SignedTable
    before: Callable[[Any], bool] = lambda _row: True
    kept: Callable[[RowKeys, Any], Mapping[str, object]] = lambda _keys, _row: {}

    async def adopt(
        self, connection: AsyncConnection, keys: RowKeys, after: Key | None = None
    ) -> list[Key]:
        """Sign the next rows behind *after*; returns which there were, none behind the last."""
        table = self.signed.table
        if after is None:
            await self._set_aside(connection)
        query = self.signed.rows.where(table.c.kid.is_(None))
        page = paging.page(query, self.signed.key, after, _AT_ONCE)
        rows = (await connection.execute(page)).all()
        for row in rows:
            this = and_(*(column == getattr(row, column.name) for column in self.signed.key))
            await connection.execute(update(table).where(this).values(self._new(keys, row)))
        return [self.signed.key_of(row) for row in rows]

    async def _set_aside(self, connection: AsyncConnection) -> None:
        """Rows that cannot be asked for by their key: no release wrote them."""
        table = self.signed.table
        these = and_(table.c.kid.is_(None), not_(fits(*self.signed.key)))
        await connection.execute(update(table).where(these).values(kid=NOBODYS, mac=b""))

    def _new(self, keys: RowKeys, row: Any) -> dict[str, object]:
        try:
            if self.before(row):
                kept = dict(self.kept(keys, row))
                values = self.signed.values(_Changed(row, kept))
                return kept | keys.sign(self.signed.table.name, *values)._asdict()
        except (TypeError, ValueError, AttributeError, OverflowError):
            pass  # of types that no release wrote
        return {"kid": NOBODYS, "mac": b""}

    async def count(self, connection: AsyncConnection) -> int:
        """How many rows are signed."""
        table = self.signed.table
        query = select(func.count()).select_from(table).where(table.c.kid > NOBODYS)
        return int((await connection.execute(query)).scalar_one())


class _Changed:
    """A row with some columns as they will be."""

    def __init__(self, row: Any, changes: Mapping[str, object]) -> None:
        self._row = row
        self._changes = changes

    def __getattr__(self, name: str) -> object:
        return self._changes[name] if name in self._changes else getattr(self._row, name)
