"""Facts whose term is over while their person stays: the rows go, and the log says how many.

Entries and commitments stay, so every root and every proof still verifies. Stage
`evidence.ended` with the `refs` of what is returned in the same transaction: a
verification takes anything else that is gone for tampering.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import EVIDENCE, format_moment
from audit.kinds import Kind
from audit.log import LetGo, Log
from audit.rowmac import LOGGED
from audit.tables import audit_entry, audit_item, audit_payload
from storage.sound import sound


@dataclass(frozen=True, slots=True)
class OldBatch:
    """A batch event whose term is over, and whom its items still concern.

    Of a row that no gateway wrote so, its place alone: it concerns nobody.
    """

    index: int
    eid: bytes
    subjects: frozenset[str]


async def old_batches(
    connection: AsyncConnection,
    log: Log,
    kinds: Collection[Kind],
    before: datetime,
    after: int,
    limit: int,
) -> list[OldBatch]:
    """The next batch events of *kinds* by index, of up to *before*.

    The columns only find them: by a date that somebody wrote there, facts would go
    before their time, and be accounted for.
    """
    index = audit_entry.c.leaf_index
    query = select(*LOGGED).where(
        audit_entry.c.kind.in_(kinds),
        index > after,
        audit_entry.c.at <= format_moment(before),
        sound(audit_entry),
    )
    rows = (await connection.execute(query.order_by(index).limit(limit))).all()
    over = {
        row.leaf_index: said.entry.eid
        for row in rows
        if (said := log.logged(row)) is not None
        and said.entry.kind in kinds
        and said.entry.at <= before
    }
    concerned = await _concerned(connection, over.values())
    eids = [(row.leaf_index, over.get(row.leaf_index, b"")) for row in rows]
    return [OldBatch(at, eid, frozenset(concerned.get(eid, ()))) for at, eid in eids]


async def _concerned(connection: AsyncConnection, eids: Collection[bytes]) -> dict[bytes, set[str]]:
    """Whom the items of these events concern still."""
    query = select(audit_item.c.eid, audit_item.c.subject).distinct()
    query = query.where(audit_item.c.eid.in_(list(eids)), sound(audit_item))
    concerned: dict[bytes, set[str]] = {}
    for eid, subject in await connection.execute(query.where(audit_item.c.subject.is_not(None))):
        concerned.setdefault(eid, set()).add(subject)
    return concerned


async def items(
    connection: AsyncConnection, batches: Sequence[OldBatch], keep: Collection[tuple[bytes, str]]
) -> LetGo:
    """Empty the items of these events, save those of the events and people to *keep*."""
    row = audit_item.c
    going = [(one.eid, subject) for one in batches for subject in one.subjects]
    pairs = [pair for pair in going if pair not in keep]
    if not pairs:
        return LetGo(0, 0)
    blank = update(audit_item).where(tuple_(row.eid, row.subject).in_(pairs))
    return LetGo(0, (await connection.execute(blank.values(subject=None, sealed=None))).rowcount)


async def payloads(connection: AsyncConnection, subject: str, eids: Collection[bytes]) -> LetGo:
    """Delete what these events say of a person."""
    row = audit_payload.c
    gone = delete(audit_payload).where(row.subject == subject, row.eid.in_(eids))
    deleted = (await connection.execute(gone.returning(row.compartment))).scalars()
    return LetGo(list(deleted).count(EVIDENCE), 0)
