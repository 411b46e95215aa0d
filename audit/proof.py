"""Proving one event to somebody who believes nobody: its path to a root that a checkpoint signs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import published, roll, successor, tree
from audit.checkpoints import Verifier
from audit.log import Inclusion, Log
from audit.tables import audit_entry, audit_pending


@dataclass(frozen=True, slots=True)
class Proof:
    """An inclusion, and the signed note of the checkpoint that gives its root."""

    inclusion: Inclusion
    checkpoint: str


async def prove(
    connection: AsyncConnection, log: Log, verifier: Verifier, eid: bytes
) -> Proof | None:
    """Prove the event against the newest published checkpoint; None when that does not cover it.

    None also where somebody changed its entry or a hash: only what leads to
    the signed root is given out. Raises `LogDamaged` where hashes are missing.
    """
    generation = await roll.generation_of(connection, eid)
    if generation is None:
        return None
    closed = (await successor.told(connection, log, verifier)).get(generation)
    most = None if closed is None else closed.size
    newest = await published.newest(connection, verifier, generation, most)
    if newest is None:
        return None
    found = await log.inclusion(connection, eid, newest.checkpoint.size)
    if found is None or not _leads_to(newest.checkpoint.root, found):
        return None
    return Proof(found, newest.note)


def _leads_to(root: bytes, found: Inclusion) -> bool:
    leaf = tree.leaf_hash(found.entry)
    return tree.verify_inclusion(found.index, found.size, leaf, found.path, root)


async def is_known(connection: AsyncConnection, eid: bytes) -> bool:
    """Say whether there is such an event, with an index or still waiting for one."""
    either = or_(*(exists().where(table.c.eid == eid) for table in (audit_entry, audit_pending)))
    return bool((await connection.execute(select(either))).scalar_one())
