"""Signing the rows of the first release, once, when an installation is upgraded.

Rows are signed page by page, each page in a transaction of its own: a run that
was killed goes on where it ended. A row that is signed names its key, and one
that could not be is given no key that ever was (`NOBODYS`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.honesty import RowKeys

NOBODYS = 0  # kids begin at one


@dataclass(frozen=True, slots=True)
class Adopter:
    """How rows of one table are signed.

    *signed* gives what the MAC covers, or None for a row that the first release
    had not written. *kept* gives columns that are kept otherwise now.
    """

    table: Table
    rows: Select[Any]  # the rows of the table, with whatever else *signed* needs
    signed: Callable[[Any], Sequence[object] | None]
    kept: Callable[[RowKeys, Any], Mapping[str, object]] = lambda _keys, _row: {}

    async def adopt(self, connection: AsyncConnection, keys: RowKeys, limit: int) -> int:
        """Sign up to *limit* rows; returns how many there were."""
        query = self.rows.where(self.table.c.kid.is_(None)).limit(limit)
        rows = (await connection.execute(query)).all()
        for row in rows:
            names = [column.name for column in self.table.primary_key]
            this = and_(*(self.table.c[name] == getattr(row, name) for name in names))
            await connection.execute(update(self.table).where(this).values(self._new(keys, row)))
        return len(rows)

    def _new(self, keys: RowKeys, row: Any) -> dict[str, object]:
        kept = dict(self.kept(keys, row))
        values = self.signed(row if not kept else _Changed(row, kept))
        try:
            if values is not None:
                return kept | keys.sign(self.table.name, *values)._asdict()
        except (TypeError, ValueError, OverflowError):
            pass  # of types that no release wrote
        return {"kid": NOBODYS, "mac": b""}

    async def count(self, connection: AsyncConnection) -> int:
        """How many rows are signed."""
        query = select(func.count()).select_from(self.table).where(self.table.c.kid > NOBODYS)
        return int((await connection.execute(query)).scalar_one())


class _Changed:
    """A row with some columns as they will be."""

    def __init__(self, row: Any, changes: Mapping[str, object]) -> None:
        self._row = row
        self._changes = changes

    def __getattr__(self, name: str) -> object:
        return self._changes[name] if name in self._changes else getattr(self._row, name)
