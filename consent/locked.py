"""Whose evidence stays locked after their erasure, and whose an address among them is.

No index leads from an address to them: that is opened, person by person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail
from audit.entry import Opener
from audit.kinds import Kind
from consent import gates, tables
from consent.model import SubjectState
from storage import paging

_NAMING = frozenset({Kind.CONSENT_REQUESTED, Kind.SUBJECT_RECTIFIED})  # events that say an address


async def count(connection: AsyncConnection) -> int:
    """How many people are erased, with something that stays."""
    # Spelled out, as the partial index has it: a parameter would keep it from being used.
    erased = tables.subject.c.state == literal_column(f"'{SubjectState.ERASED}'")
    query = select(func.count()).select_from(tables.subject).where(erased)
    return int((await connection.execute(query)).scalar_one())


async def sealed_after(
    connection: AsyncConnection, after: str | None, limit: int
) -> tuple[list[str], list[Any], str | None]:
    """The next of them by id, the sealed events that say an address, for `whose`; and the last.

    None for that one where nobody follows.
    """
    found = await gates.in_state(connection, SubjectState.ERASED, after, limit + 1)
    page, last = paging.cut([gate.subject for gate in found], limit)
    people = list(page)
    return people, await trail.sealed_of(connection, people, _NAMING), last


def whose(rows: Iterable[Any], canonical: str, opener: Opener) -> Collection[str]:
    """Open the events and say of whom one names this address. Takes its time: call it aside."""
    found: set[str] = set()
    for row in rows:
        if row.subject not in found:
            told = trail.told_by(row, _NAMING, opener)
            if told is not None and told.facts.get("address") == canonical:
                found.add(row.subject)
    return found
