"""Which tables an export has: its events, and beside them what it adds about people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import tzinfo
from functools import partial

from audit.export import columns, people, records
from audit.export.columns import EVENTS, FACTS, PEOPLE, Row
from audit.export.disclosed import Disclosing
from audit.export.pseudonyms import Pseudonyms
from audit.export.selection import Part, Wanted
from audit.export.sheets import Sheet
from storage.database import Database

_Pages = AsyncIterator[Callable[[], Iterable[Row]]]


def sheets(data: Database, parts: Sequence[Part], wanted: Wanted, zone: tzinfo) -> list[Sheet]:
    """Read page by page, in this order: a person's facts are found with their entries."""
    found = [Sheet("events", EVENTS, _events(data, parts, wanted, zone))]
    if wanted.person is not None:
        found.append(Sheet("facts", FACTS, _facts(data, wanted.person)))
    if wanted.pseudonyms is not None:
        found.append(Sheet("people", PEOPLE, _people(data, parts, wanted, wanted.pseudonyms)))
    return found


async def _events(data: Database, parts: Sequence[Part], wanted: Wanted, zone: tzinfo) -> _Pages:
    async for page in records.pages(data, parts, wanted):
        yield partial(columns.event_rows, page, zone)


async def _facts(data: Database, person: Disclosing) -> _Pages:
    async for page in person.pages(data):
        yield partial(columns.fact_rows, page)


async def _people(
    data: Database, parts: Sequence[Part], wanted: Wanted, pseudonyms: Pseudonyms
) -> _Pages:
    async for page in people.pages(data, parts, wanted, pseudonyms):
        yield partial(columns.people_rows, page)
