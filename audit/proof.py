"""Proving one event to somebody who believes nobody: its path to a root that a checkpoint signs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.log import Inclusion, Log
from audit.tables import audit_checkpoint, audit_entry, audit_pending


@dataclass(frozen=True, slots=True)
class Proof:
    """An inclusion, and the signed note of the checkpoint that gives its root."""

    inclusion: Inclusion
    checkpoint: str


async def prove(connection: AsyncConnection, log: Log, eid: bytes) -> Proof | None:
    """Prove the event against the newest published checkpoint; None when that does not cover it.

    Nothing is checked here: where somebody changed an entry or a hash, whoever
    verifies the proof finds that it does not lead to the signed root.
    """
    query = select(audit_checkpoint.c.size, audit_checkpoint.c.note)
    newest = query.order_by(audit_checkpoint.c.size.desc()).limit(1)
    row = (await connection.execute(newest)).one_or_none()
    if row is None:
        return None
    found = await log.inclusion(connection, eid, row.size)
    return None if found is None else Proof(found, row.note)


async def is_known(connection: AsyncConnection, eid: bytes) -> bool:
    """Say whether there is such an event, with an index or still waiting for one."""
    either = or_(*(exists().where(table.c.eid == eid) for table in (audit_entry, audit_pending)))
    return bool((await connection.execute(select(either))).scalar_one())
