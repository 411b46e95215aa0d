"""What is counted beside the work: how full the queues are, what the worker came to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from math import inf

from audit import published, staged
from audit.checkpoints import Verifier
from audit.log import Log
from consent import intakes, rights_requests
from consent.keys import verified
from consent.lookup import LookUp
from delivery import outbox
from delivery.desk import Claimed, Ended
from delivery.outbox import WAITING, Status
from gateway.flows.proving.remembering import opened_at
from gateway.flows.sending.letters import Letter
from gateway.parts import Parts
from gateway.process.desk import Desk
from gateway.process.duties import Duty
from gateway.watch import stuck, verification, webhooks
from gateway.watch.metrics import Metrics
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys


def measuring(
    data: Database,
    clock: Clock,
    verifier: Verifier,
    lookup: LookUp,
    counted: Metrics,
    named: Collection[str],
) -> Duty:
    """Every process measures for itself: whoever asks it wants an answer from it."""
    every = timedelta(seconds=5)
    return Duty("measure", every, lambda: measure(data, clock, verifier, lookup, counted, named))


async def measure(
    data: Database,
    clock: Clock,
    verifier: Verifier,
    lookup: LookUp,
    counted: Metrics,
    named: Collection[str] = (),
) -> int:
    """Set the gauges, of receivers those that are *named*.

    What is read here may be older than what was counted.
    """
    async with data.read() as connection:
        messages = await outbox.counts(connection)
        standing = await stuck.look(connection)
        waiting = await intakes.waiting(connection)
        pending = await staged.pending(connection)
        newest = await published.newest(connection, verifier)
        now = await clock.now(connection)
        due = await rights_requests.count_due(connection, now)
        behind = {one.webhook: one for one in await webhooks.look(connection, named)}
    for status in (*WAITING, Status.SENDING):
        number = sum(n for (_, one), n in messages.items() if one == status)
        counted.outbox.labels(status).set(number)  # also 0: what is gone must not stay
    counted.parked.clear()  # what is worked off is named no more
    for one in standing:
        counted.parked.labels(one.table, one.reason).set(one.rows)
    counted.intake.set(waiting)
    counted.lookup_keys_missing.set(len(lookup.lacking))
    later = due.waiting - due.soon - due.overdue
    for when, number in (("later", later), ("soon", due.soon), ("overdue", due.overdue)):
        counted.rights_requests.labels(when).set(number)
    counted.webhook_failing.clear()  # by another reason, or by none
    for name in {*named, webhooks.OTHER}:
        late = behind.get(name)
        counted.webhooks.labels(name).set(late.changes if late else 0)
        age = (now - late.since).total_seconds() if late else 0
        counted.webhook_age.labels(name).set(max(age, 0))
        if late is not None and late.why is not None:
            counted.webhook_failing.labels(name, late.why).set(1)
    counted.audit_pending.set(pending)
    counted.audit_size.set(0 if newest is None else newest.checkpoint.size)
    return 0


def measuring_backups(keys: Database, clock: Clock, rows: RowKeys, counted: Metrics) -> Duty:
    """Apart from the others: it asks the key store, which may be away alone."""
    every = timedelta(seconds=60)
    return Duty("measure backups", every, lambda: measure_backups(keys, clock, rows, counted))


async def measure_backups(keys: Database, clock: Clock, rows: RowKeys, counted: Metrics) -> int:
    """Set the age of the newest backup that was put back somewhere and found whole."""
    async with keys.read() as connection:
        now = await clock.now(connection)
        newest = await verified.newest(connection, rows)
    counted.backup_age.set(inf if newest is None else (now - newest.taken_at).total_seconds())
    return 0


def measuring_nights(
    data: Database, guard: Database, clock: Clock, rows: RowKeys, log: Log, counted: Metrics
) -> Duty:
    """Apart from the others, too: it asks the guard's store."""
    every = timedelta(seconds=60)
    return Duty(
        "measure nights", every, lambda: measure_nights(data, guard, clock, rows, log, counted)
    )


async def measure_nights(
    data: Database, guard: Database, clock: Clock, rows: RowKeys, log: Log, counted: Metrics
) -> int:
    """Set when the live log was verified last, and what that found."""
    nights = await verification.look(guard, rows, log.first)
    async with data.read() as connection:
        now, since = await clock.now(connection), await opened_at(connection, log)
    last = nights.last
    at = since if last is None else last.at
    counted.verified_age.set(0 if at is None else max((now - at).total_seconds(), 0))
    counted.verification_faults.labels("log").set(0 if last is None else last.findings)
    counted.verification_faults.labels("rows").set(0 if last is None else last.rows)
    return 0


class CountingDesk(Desk):
    """The desk of a worker whose parcels and outcomes are counted once they are committed."""

    def __init__(self, parts: Parts, counted: Metrics, *, aside: bool) -> None:
        super().__init__(parts, aside=aside)
        self._counted = counted

    async def claim(
        self, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
    ) -> Claimed[Letter]:
        claimed = await super().claim(owner, wanted, marketing=marketing, most=most)
        for parcel in claimed:
            self._counted.permits.labels(parcel.kind).inc()
        return claimed

    async def settle(self, owner: str, ended: Sequence[Ended[Letter]]) -> Collection[str]:
        settled = await self._settle(owner, ended)
        for result in settled.written:
            self._counted.outcomes.labels(result.message.kind, result.outcome).inc()
            self._counted.objections.inc(result.ours)
        return settled.lost
