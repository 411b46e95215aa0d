"""What others are given of the log by itself, so that it can be held against us."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from audit import witnessed
from audit.checkpoints import Verifier
from audit.log import Log
from gateway.config.config import Audit
from gateway.flows.proving.witnessing import Witnessing
from gateway.http.witnesses import add_checkpoint
from gateway.process.duties import Duty
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

    def duties(self, counted: Metrics) -> list[Duty]:
        """None where nobody outside is named. Safe beside themselves."""
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
