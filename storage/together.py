"""Several queries as one statement: one round trip, and all of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    CompoundSelect,
    Integer,
    LargeBinary,
    Select,
    String,
    cast,
    literal_column,
    null,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from storage import straight
from storage.types import Moment

Rows = Sequence[tuple[Any, ...]]
_KINDS: Final = (Moment, String, Integer, LargeBinary, Boolean)


class Together:
    """Queries by name, made into one statement; make it once.

    Columns of one kind share a column of the statement, whichever query they are of. In which
    order rows come nobody says.
    """

    def __init__(self, **queries: Select[Any]) -> None:
        self._names = [*queries]
        self._kinds: list[type[TypeEngine[Any]]] = []
        self._places = [self._placed(query) for query in queries.values()]
        self.statement = self._union([*queries.values()])

    async def rows(
        self, connection: AsyncConnection, given: Mapping[str, Any]
    ) -> Mapping[str, Rows]:
        """What each query answers, its columns in their order."""
        found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in self._names}
        for part, *values in await straight.rows(connection, self.statement, given):
            row = tuple([values[place] for place in self._places[part]])
            found[self._names[part]].append(row)
        return found

    def _placed(self, query: Select[Any]) -> Sequence[int]:
        """In which columns of the statement those of *query* stand."""
        places: list[int] = []
        for column in query.selected_columns:
            kind = next(one for one in _KINDS if isinstance(column.type, one))
            free = (n for n, known in enumerate(self._kinds) if known is kind and n not in places)
            place = next(free, len(self._kinds))
            if place == len(self._kinds):
                self._kinds.append(kind)
            places.append(place)
        return places

    def _union(self, queries: Sequence[Select[Any]]) -> CompoundSelect[Any]:
        return union_all(*(self._part(n, query) for n, query in enumerate(queries)))

    def _part(self, number: int, query: Select[Any]) -> Select[Any]:
        there = dict(zip(self._places[number], query.selected_columns, strict=True))
        columns = [
            # Named alike, for the statement has the names of its first part.
            there[place].label(f"c{place}")
            if place in there
            else cast(null(), kind()).label(f"c{place}")
            for place, kind in enumerate(self._kinds)
        ]
        part = literal_column(str(number), Integer()).label("part")
        return query.with_only_columns(part, *columns)
