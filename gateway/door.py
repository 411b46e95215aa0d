"""Who may post now: the limits of network and form, the only ones that a stranger is told of.

Network first: a flood from one network must not use up the form for all others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway import limits
from gateway.limits import FORM, NETWORK, Bucket, Limit, Wait, limit_key
from storage.secret import Secret

_REMEMBERED = 10_000  # networks; each for the two seconds of its limit


@dataclass(frozen=True, slots=True)
class Visit:
    """One post: to which form, and from whose network where that is known."""

    form: str
    network: str | None = field(repr=False)


_Counted = Sequence[tuple[Limit, bytes]]  # what one visit counts against, in this order


class Told:
    """Which networks were told to wait, and how long still: the latest *most* of them."""

    def __init__(self, monotonic: Callable[[], float], most: int = _REMEMBERED) -> None:
        self._monotonic = monotonic
        self._most = most
        self._until: dict[bytes, float] = {}

    def tell(self, key: bytes, wait: Wait) -> None:
        self._until.pop(key, None)
        self._until[key] = self._monotonic() + wait.how_long.total_seconds()
        if len(self._until) > self._most:
            del self._until[next(iter(self._until))]

    @property
    def anybody(self) -> bool:
        """Whether there is anything to look for: mostly there is not."""
        return bool(self._until)

    def left(self, key: bytes) -> Wait | None:
        """How long it waits still; None: it was told nothing, or that is over."""
        until = self._until.get(key)
        if until is None:
            return None
        left = until - self._monotonic()
        if left > 0:
            return Wait(timedelta(seconds=left))
        del self._until[key]
        return None


class Door:
    """The limits of what strangers post to one process; the counts are everybody's."""

    def __init__(self, *, enabled: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._enabled = enabled
        self._told = Told(monotonic)

    def waiting(self, weekly: Secret, visits: Sequence[Visit]) -> list[Wait | None]:
        """How long each has to wait because its network was told so; None: ask the database.

        A flood then costs no transaction. It says no for no longer than the
        database told, and never yes.
        """
        return [self._left(weekly, visit.network) for visit in visits]

    def _left(self, weekly: Secret, network: str | None) -> Wait | None:
        if network is None or not self._told.anybody:
            return None
        return self._told.left(limit_key(weekly, NETWORK, network))

    async def hold(
        self, connection: AsyncConnection, weekly: Secret, visits: Sequence[Visit]
    ) -> Held:
        """Lock what *visits* count against, in the order that everybody keeps to.

        Read the clock of the transaction after this.
        """
        counted = [self._counted(weekly, one) for one in visits]
        networks = {key for one in counted for limit, key in one if limit is NETWORK}
        forms = {key for one in counted for limit, key in one if limit is FORM}
        keys = [*sorted(networks), *sorted(forms)]
        levels = await limits.hold(connection, keys) if keys else {}
        return Held(counted, levels, self._told)

    def _counted(self, weekly: Secret, visit: Visit) -> _Counted:
        if not self._enabled:
            return []
        named = [(NETWORK, visit.network), (FORM, visit.form)]
        return [(lim, limit_key(weekly, lim, value)) for lim, value in named if value is not None]


@dataclass(frozen=True, slots=True)
class Held:
    """Visits whose counts are locked."""

    counted: Sequence[_Counted]
    levels: Mapping[bytes, datetime]
    told: Told

    async def count(self, connection: AsyncConnection, now: datetime) -> list[Wait | None]:
        """Count the visits one after another; for each how long to wait, None when it may enter.

        Commit it also where nobody may. Who is refused for the network does not
        count at the form.
        """
        buckets = {
            key: Bucket(limit, self.levels[key]) for visit in self.counted for limit, key in visit
        }
        waits = [self._wait(visit, buckets, now) for visit in self.counted]
        for one in buckets.values():
            one.settle(now)  # also a form whose visitors were all refused before it
        changed = {k: b.empty_at for k, b in buckets.items() if b.empty_at != self.levels[k]}
        await limits.write(connection, changed)
        return waits

    def _wait(self, visit: _Counted, buckets: Mapping[bytes, Bucket], now: datetime) -> Wait | None:
        for limit, key in visit:
            if buckets[key].pour(now) is None:
                wait = Wait(buckets[key].wait(now))
                if limit is NETWORK:
                    self.told.tell(key, wait)
                return wait
        return None
