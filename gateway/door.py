"""Who may post now: the limits of network and form, the only ones that a stranger is told of.

Networks first, the narrow before the wide: a flood from one must not use up
the form for all others. IPv6 networks cost nothing, so those that hold them
are counted too; and a part of everything that is shared is kept for networks
that were not seen for a day, so that whoever came first does not fill it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv6Network

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway import limits
from gateway.limits import FORM, NETWORK, WIDER, Bucket, Limit, Wait, limit_key
from storage.secret import Secret

_REMEMBERED = 10_000  # each for as long as the database told


@dataclass(frozen=True, slots=True)
class Visit:
    """One post: to which form, and from whose network where that is known."""

    form: str
    network: str | None = field(repr=False)


_Counted = Sequence[tuple[Limit, bytes]]  # what one visit counts against; each is in the next


def networks(network: str) -> list[tuple[Limit, str]]:
    """A network, and for IPv6 those that hold it, with what limits each."""
    named = [(NETWORK, network)]
    if ":" not in network:
        return named
    prefix = IPv6Network(network)
    holding = [(WIDER[length], length) for length in WIDER if length < prefix.prefixlen]
    return named + [(lim, str(prefix.supernet(new_prefix=length))) for lim, length in holding]


class Told:
    """What was told to wait, and how long still: the latest *most*."""

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


def _through(held: bytes, key: bytes) -> bytes:
    """What is told to those alone who come from *held*, which was seen: others find room."""
    return held + b"/" + key


class Door:
    """The limits of what strangers post to one process; the counts are everybody's."""

    def __init__(self, *, enabled: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._enabled = enabled
        self._told = Told(monotonic)

    def waiting(self, weekly: Secret, visits: Sequence[Visit]) -> list[Wait | None]:
        """How long each has to wait because that was told before; None: ask the database.

        A flood then costs no transaction. It says no for no longer than the
        database told, and never yes.
        """
        return [self._left(weekly, visit) for visit in visits]

    def _left(self, weekly: Secret, visit: Visit) -> Wait | None:
        if not self._told.anybody:
            return None
        held = b""
        for _, key in self._counted(weekly, visit):
            left = self._told.left(key) or self._told.left(_through(held, key))
            if left is not None:
                return left
            held = key
        return None

    async def hold(
        self, connection: AsyncConnection, weekly: Sequence[Secret], visits: Sequence[Visit]
    ) -> Held:
        """Lock what *visits* count against, in the order that everybody keeps to.

        *weekly* are the keys of this week and the last. Read the clock of the transaction
        after this.
        """
        this, *older = weekly
        counted = [self._counted(this, one) for one in visits]
        before = {
            key: last
            for secret in older
            for one, now in zip(visits, counted, strict=True)
            for (_, key), (_, last) in zip(now, self._counted(secret, one), strict=True)
        }
        ranked = {(limit is FORM, key) for one in counted for limit, key in one}
        keys = [key for _, key in sorted(ranked)]
        levels = await limits.hold(connection, keys, before) if keys else {}
        return Held(counted, levels, self._told)

    def _counted(self, weekly: Secret, visit: Visit) -> _Counted:
        if not self._enabled:
            return []
        named = [] if visit.network is None else networks(visit.network)
        return [(lim, limit_key(weekly, lim, name)) for lim, name in [*named, (FORM, visit.form)]]


@dataclass(frozen=True, slots=True)
class Held:
    """Visits whose counts are locked."""

    counted: Sequence[_Counted]
    levels: Mapping[bytes, datetime]
    told: Told

    async def count(self, connection: AsyncConnection, now: datetime) -> list[Wait | None]:
        """Count the visits one after another; for each how long to wait, None when it may enter.

        Commit it also where nobody may. Who is refused counts nowhere.
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
        held = b""
        for limit, key in visit:
            # Nobody knows where it is from: then it may be from anywhere that was seen.
            seen = buckets[held].seen(now) if held else limit is FORM
            wait = buckets[key].wait(now, seen=seen)
            if wait > timedelta():
                full = buckets[key].wait(now) > timedelta()
                self.told.tell(key if full else _through(held, key), Wait(wait))
                return Wait(wait)
            held = key
        for _, key in visit:
            buckets[key].pour(now)
        return None
