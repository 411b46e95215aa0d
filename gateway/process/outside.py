"""What others are given of the log by itself, so that it can be held against us."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from audit import witnessed
from audit.checkpoints import Verifier
from audit.log import Log
from gateway.config.config import Audit
from gateway.flows.proving.checkpoint_mails import CheckpointMails
from gateway.flows.proving.witnessing import Witnessing
from gateway.http.witnesses import add_checkpoint
from gateway.process.duties import Duty
from gateway.watch import posted
from gateway.watch.metrics import Metrics
from storage.clock import Clock
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Outside:
    """Those who are given it, and whether they said their word."""

    data: Database
    guard: Database
    clock: Clock
    log: Log
    verifier: Verifier
    audit: Audit
    mails: CheckpointMails

    def duties(self, counted: Metrics) -> list[Duty]:
        """What goes by mail, and what to witnesses. Safe beside themselves."""
        return [*self._by_mail(counted), *self._to_witnesses(counted)]

    def _by_mail(self, counted: Metrics) -> list[Duty]:
        """Also where no mail is configured: one that was is let go of."""
        soon, seldom = timedelta(seconds=10), timedelta(minutes=10)
        return [
            Duty("checkpoint mail", soon, self.mails.queue),
            Duty("checkpoint mail over", seldom, self.mails.let_go),
            Duty("measure checkpoint mail", soon, lambda: self.measure_mail(counted)),
        ]

    def _to_witnesses(self, counted: Metrics) -> list[Duty]:
        """None where nobody is named."""
        if not self.audit.witnesses:
            return []
        stores = (self.data, self.guard, self.clock)
        asking = Witnessing(*stores, self.log, self.verifier, self.audit, add_checkpoint)
        every = timedelta(minutes=2)
        return [
            Duty("witnesses", every, asking.run),
            Duty("measure witnesses", every, lambda: self.measure(counted)),
        ]

    async def measure(self, counted: Metrics) -> int:
        """Set for how long the last public checkpoint lacks a word that it needs."""
        known = witnessed.known(self.audit.vkeys)
        seen = await witnessed.seen(self.data, self.guard, self.log, self.verifier, known)
        async with self.guard.read() as connection:
            now = await self.clock.now(connection)
        lacks = seen.lacks(self.audit.quorum, now)
        counted.witnesses_lacking.set(max(lacks.total_seconds(), 0))
        return 0

    async def measure_mail(self, counted: Metrics) -> int:
        """Set for how long a checkpoint that was due is not with the mailbox that keeps them."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
            seen = await posted.look(connection, self.log.macs, self.audit)
        counted.checkpoint_mail_late.set(0 if seen is None else seen.late(now).total_seconds())
        return 0
