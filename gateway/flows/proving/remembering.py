"""A verification of the live log leaves behind what it came to, for whoever watches.

By hand it looks at everything. By itself it goes on from the last one, and looks at
everything once in `[audit] verify_all_every`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import verified
from audit.kinds import Kind
from audit.log import Log
from audit.report import Since
from audit.verified import Scope, Verified
from audit.verify import Progress
from gateway.flows.proving.verify import Verification, verify
from gateway.parts import Parts


@dataclass(frozen=True, slots=True)
class Verifying:
    """Verifies what is served, and remembers it in the guard's store."""

    parts: Parts

    async def verify(
        self, held: Iterable[str] = (), progress: Progress | None = None, *, newer: bool = False
    ) -> Verification:
        """Check everything, or what is *newer* than what was checked before.

        What does not fit a checkpoint *held* is told and not remembered: whoever names a
        wrong file by mistake must not stop the signing.
        """
        kept = list(held)
        since = await self._since() if newer else None
        found = await verify(self.parts, kept, progress, since=since)
        if found.ok or not kept:
            await self._remember(found)
        return found

    async def _since(self) -> Since | None:
        parts = self.parts
        async with parts.guard.read() as connection:
            now = await parts.clock.now(connection)
            known = await verified.known(connection, parts.rows, parts.log.first)
        return verified.go_on(known, now, parts.config.audit.verify_all_every)

    async def _remember(self, found: Verification) -> None:
        parts, report = self.parts, found.report
        nowhere = Since(parts.log.generation, 0, bytes(32))
        async with parts.guard.begin() as connection:
            now = await parts.clock.now(connection)
            one = Verified(
                Scope.WHOLE if report.whole else Scope.NEWER,
                now,
                report.reached or nowhere,
                findings=len(report.findings),
                rows=len(found.rows),
                first_bad=report.first_bad,
                broken=report.broken,
            )
            await verified.record(connection, parts.rows, parts.log.first, one)


async def opened_at(connection: AsyncConnection, log: Log) -> datetime | None:
    """When the log began: until the first night behind that nobody has verified it."""
    opened = await log.events(connection, kind=Kind.LOG_OPENED, limit=1)
    return opened[0].entry.at if opened else None
