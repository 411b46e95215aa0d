"""Erasures beside what the log says of them, and whether locked evidence is still there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from audit import trail
from audit.entry import Entry
from audit.kinds import Kind
from audit.log import Log
from consent import erasures, gates
from consent.erasures import Erasure, Stage
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment
from gateway.flows.rights.erasing import ALTERED
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_KINDS = (Kind.SUBJECT_ERASURE_HELD, Kind.SUBJECT_ERASURE_STARTED, Kind.SUBJECT_ERASED)
_ENDED = (Kind.EVIDENCE_ENDED,)


async def doubts(
    data: Database, keystore: KeyStore, keys: RowKeys, log: Log, clock: Clock, kept: timedelta
) -> AsyncIterator[str]:
    """Name erasures that do not fit their events; they are *kept* so long after their end."""
    async with data.snapshot() as connection:
        rows = await erasures.standing(connection, keys)
        told = await trail.happenings(connection, log.macs, _KINDS)
        now = await clock.now(connection)
        ended = await trail.happenings(connection, log.macs, _ENDED)
        let_go = {one.refs.get("erasure") for one in ended}
        locked = [one for one in rows.values() if one is not None and _is_locked(one, now)]
        there = await gates.named(connection, [one.subject for one in locked])
        begun = [one for one in rows.values() if one is not None and one.state is not Stage.HELD]
        asked = [one.subject for one in begun]
        known = await gates.peek(connection, asked)
    for doubt in compare(told, rows, now - kept):
        yield doubt
    for subject, gate in known.items():
        if not gate.gone(keys):
            yield f"subject {subject}: an old row was put back: they asked to be forgotten"
    # Only the log says that it ended: what stands in the ledger somebody may have written there.
    subjects = [one.subject for one in locked if one.id not in let_go]
    vault = await keystore.vault(subjects)
    for subject in subjects:
        if not vault.has(subject, Compartment.EVIDENCE):
            yield f"dek {subject}/{Compartment.EVIDENCE}: is missing or damaged, and is locked"
        if subject not in there:
            yield f"subject {subject}: is gone, and its evidence is locked"


def compare(
    events: Iterable[Entry], rows: Mapping[str, Erasure | None], kept_since: datetime
) -> Iterator[str]:
    """Compare events, in their order, with the rows; what no gateway wrote is named elsewhere."""
    told = [one for one in events if "erasure" in one.refs]
    last = {one.refs["erasure"]: one for one in told}
    for name, event in last.items():
        row = rows.get(name)
        over = event.kind is Kind.SUBJECT_ERASED and event.at <= kept_since
        if name not in rows and not over:
            yield f"erasure {name}: the log tells of it, and its row is gone"
        elif row is not None and row.eid != event.eid:
            yield f"erasure {name}: an old row was put back: the log tells otherwise"
    for event in told:
        name = event.refs["erasure"]
        if ALTERED in event.refs and name in rows:
            number = event.refs[ALTERED]
            yield f"erasure {name}: rows that no gateway wrote so went with the person: {number}"
    for name, row in rows.items():
        if row is not None and name not in last:
            yield f"erasure {name}: no event tells of it"


def _is_locked(one: Erasure, now: datetime) -> bool:
    until = one.locked_until
    return one.state is Stage.DONE and until is not None and until > now
