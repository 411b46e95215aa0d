"""Entries out of the database, page by page: those that an export is of, in their order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import succession
from audit.export.selection import Part, Wanted, chosen
from audit.tables import audit_entry
from audit.tree import Range
from storage.database import Database
from storage.sound import sound

_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as it is stored; nothing where its row cannot be read."""

    generation: int
    index: int
    entry: bytes | None

    @property
    def place(self) -> int:
        return succession.base_of(self.generation) + self.index


async def pages(
    data: Database, parts: Sequence[Part], wanted: Wanted, most: int = _AT_ONCE
) -> AsyncIterator[list[Record]]:
    """All entries of an export, at most *most* at once; no transaction stays open between."""
    for part in parts:
        for group in grouped(await chosen(data, part, wanted), most):
            async with data.read() as connection:
                found = await _read(connection, part.base, group)
            page = [
                Record(part.generation, index, found.get(part.base + index))
                for one in group
                for index in range(one.start, one.end)
            ]
            wanted.passed(len(page))
            yield page


def grouped(ranges: Sequence[Range], most: int) -> Iterator[list[Range]]:
    """The same indexes, cut into groups of at most *most*."""
    group: list[Range] = []
    room = most
    for one in ranges:
        start = one.start
        while start < one.end:
            end = min(one.end, start + room)
            group.append(Range(start, end))
            room -= end - start
            start = end
            if not room:
                yield group
                group, room = [], most
    if group:
        yield group


async def _read(connection: AsyncConnection, base: int, group: Sequence[Range]) -> dict[int, bytes]:
    place = audit_entry.c.leaf_index
    query = select(place, audit_entry.c.entry).where(_places(place, base, group))
    rows = await connection.execute(query.where(sound(audit_entry)))
    return {at: entry for at, entry in rows}


def _places(place: Any, base: int, group: Sequence[Range]) -> Any:
    if len(group) == 1:
        return place.between(base + group[0].start, base + group[0].end - 1)
    places = [base + index for one in group for index in range(one.start, one.end)]
    return place.in_(places)
