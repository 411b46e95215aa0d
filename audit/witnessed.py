"""What witnesses said of the last public checkpoint, and whether that is enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit import public, witnesses
from audit.checkpoints import Verifier
from audit.log import Log
from audit.published import Stored
from audit.witnesses import Cosignature, Witness
from storage.database import Database


def known(vkeys: Iterable[str]) -> list[Witness]:
    """The witnesses that an operator named."""
    return [Witness(one) for one in vkeys]


@dataclass(frozen=True, slots=True)
class Seen:
    """The last public checkpoint, and who cosigned it."""

    shown: Stored | None
    cosignatures: Sequence[Cosignature]

    def lacks(self, quorum: int, now: datetime) -> timedelta:
        """For how long fewer than that many cosigned it."""
        if self.shown is None or len(self.cosignatures) >= quorum:
            return timedelta()
        return now - self.shown.published_at

    @property
    def note(self) -> str | None:
        """With the lines of those who cosigned it; None before the first."""
        if self.shown is None:
            return None
        return witnesses.attached(self.shown.note, self.cosignatures)


async def seen(
    data: Database, guard: Database, log: Log, verifier: Verifier, known: Sequence[Witness]
) -> Seen:
    """The last public checkpoint with what witnesses said of it."""
    async with data.read() as connection:
        shown = await public.newest(connection, log, verifier)
    return Seen(shown, () if shown is None else await of(guard, shown, known))


async def of(guard: Database, one: Stored, known: Sequence[Witness]) -> Sequence[Cosignature]:
    """Who of these cosigned that checkpoint."""
    if not known:
        return ()
    origin, size = one.checkpoint.origin, one.checkpoint.size
    async with guard.read() as connection:
        return await witnesses.kept(connection, origin, one.note, size, known)
