"""Who an entry is about, under names that are good for one export and lead nowhere.

An authority sees which events are the same person's without learning who that is; nothing
that was sealed is opened. Whoever was erased has no row any more, and no name.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.canonical import canonical
from audit.entry import GRAMMAR
from audit.export import records
from audit.export.pseudonyms import Pseudonyms
from audit.export.records import Record
from audit.export.selection import Part, Wanted
from audit.tables import audit_item, audit_payload
from storage.database import Database
from storage.sound import sound

_AT_ONCE = 256  # events; a batch event may be about hundreds


@dataclass(frozen=True, slots=True)
class About:
    """An entry, and whom it is about."""

    record: Record
    eid: bytes
    people: Sequence[str]


async def pages(
    data: Database, parts: Sequence[Part], wanted: Wanted, pseudonyms: Pseudonyms
) -> AsyncIterator[list[About]]:
    """All entries of an export, each with whom it is about, page by page."""
    async for page in records.pages(data, parts, wanted, _AT_ONCE):
        eids = [_eid(record) for record in page]
        async with data.read() as connection:
            subjects = await _subjects(connection, [one for one in eids if one])
        # In the order of the names: that of the rows says who came first in a batch.
        names = [sorted(map(pseudonyms.of, subjects.get(eid, ()))) for eid in eids]
        yield [About(*one) for one in zip(page, eids, names, strict=True)]


async def lines(
    data: Database, parts: Sequence[Part], wanted: Wanted, pseudonyms: Pseudonyms
) -> AsyncIterator[bytes]:
    """Those that are about somebody as lines of JSON, as a bundle has them."""
    async for page in pages(data, parts, wanted, pseudonyms):
        yield b"".join(_line(one) for one in page if one.people)


def _line(one: About) -> bytes:
    at = {"index": one.record.index, "log": one.record.generation}
    return canonical(at | {"people": list(one.people)}) + b"\n"


def _eid(record: Record) -> bytes:
    """The id of an event; nothing where its row cannot be read."""
    found = GRAMMAR.fullmatch(record.entry) if record.entry is not None else None
    return b"" if found is None else base64.b64decode(found["eid"])


async def _subjects(connection: AsyncConnection, eids: Sequence[bytes]) -> dict[bytes, set[str]]:
    payloads, items = audit_payload.c, audit_item.c
    query = union(
        select(payloads.eid, payloads.subject).where(payloads.eid.in_(eids), sound(audit_payload)),
        select(items.eid, items.subject).where(
            items.eid.in_(eids), items.subject.is_not(None), sound(audit_item)
        ),
    )
    found: dict[bytes, set[str]] = {}
    for eid, subject in await connection.execute(query):
        found.setdefault(eid, set()).add(subject)
    return found
