"""What an erasure destroyed, as the log and the key store have it. Names nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from audit import trail
from audit.kinds import Kind
from audit.log import Log
from consent import erasures
from consent.erasures import Erasure
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment
from storage.database import Database
from storage.honesty import RowKeys


@dataclass(frozen=True, slots=True)
class Certificate:
    """What can be shown to whoever doubts that somebody was forgotten."""

    done_at: datetime
    keys_destroyed: tuple[Compartment, ...]  # as the erasure ledger has it now
    payloads: int  # of the log, deleted then
    items: int
    eid: bytes
    locked_until: datetime | None  # none: nothing is kept any more


async def look_up(
    data: Database, keystore: KeyStore, keys: RowKeys, log: Log, erasure_id: str
) -> tuple[Erasure, Certificate | None] | None:
    """An erasure, and once it is done what it destroyed; None where there is no such erasure."""
    async with data.snapshot() as connection:
        found = await erasures.get(connection, keys, erasure_id)
        if found is None:
            return None
        told = await trail.event(connection, log.macs, found.eid)
    if found.done_at is None or told is None or told.kind is not Kind.SUBJECT_ERASED:
        return found, None
    destroyed = {compartment for _, compartment in await keystore.erased([found.subject])}
    locked = found.locked_until if Compartment.EVIDENCE not in destroyed else None
    gone = tuple(sorted(destroyed))
    payloads, items = (int(told.refs[name]) for name in ("payloads", "items"))
    return found, Certificate(found.done_at, gone, payloads, items, found.eid, locked)
