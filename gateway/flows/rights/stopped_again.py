"""What somebody else lifted in a person's session stands again once the mailbox says so.

Whoever keeps their address, or takes it back, says that the session was not theirs. A
restriction or an objection that was lifted then was lifted by nobody who may.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor, Kind
from consent import gates, suppressions
from consent.address import Address
from consent.evidence import Objected
from consent.gates import Gate
from consent.stop_proofs import Restricting
from consent.stops import LiftedStops
from consent.suppressions import Stop, Suppression
from consent.trail import Trail
from storage.honesty import RowKeys
from storage.keysets import KeySet


@dataclass(frozen=True, slots=True)
class StoppingAgain:
    """For one person, whose gate is held and whose row a gateway wrote."""

    keys: RowKeys
    suppression: KeySet
    gate: Gate
    email: Address  # where they are mailed from now on
    channel: str
    now: datetime

    async def of(self, connection: AsyncConnection, trail: Trail, lifted: LiftedStops) -> None:
        """Write down again what was *lifted*, where it does not stand; the caller stages."""
        gate = self.gate
        new = gate
        if lifted.restriction and gate.restricted_at is None:
            self._tell(trail, Kind.SUBJECT_RESTRICTED, Restricting(self.channel))
            new = replace(new, restricted_at=self.now)
        if lifted.objection and gate.objected_at is None:
            self._tell(trail, Kind.CONSENT_OBJECTED, Objected(self.channel, ()))
            new = replace(new, objected_at=self.now, asking_blocked_at=self.now)
            await self._block(connection)
        if new != gate:
            await gates.restate(connection, self.keys, [(gate, new)])

    def _tell(self, trail: Trail, kind: Kind, said: Restricting | Objected) -> None:
        trail.record(kind, self.gate.subject, Actor.SUBJECT, self.now, evidence=said)

    async def _block(self, connection: AsyncConnection) -> None:
        digest = suppressions.mailbox_hash(self.suppression.secret, self.email)
        until, kid = suppressions.blocked_until(self.now), self.suppression.kid
        block = Suppression(digest, Stop.ASKING, until, kid=kid)
        await suppressions.add(connection, [block], self.now)
