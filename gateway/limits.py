"""Shared rate limits (GCRA), on the database's clock.

Only keyed hashes are stored; their key changes every week and is destroyed a week
later. What was counted under last week's counts on: with the week a limit would
otherwise begin anew for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.schema.tables import rate_limit
from storage.locks import delete_free
from storage.secret import Secret
from storage.types import upsert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MANY = 10_000
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


@dataclass(frozen=True)
class Limit:
    """*burst* hits at once, then one per *interval*; *kept* of them for whoever was not seen."""

    name: str
    burst: int
    interval: timedelta
    kept: int = 0


NETWORK = Limit("network", burst=60, interval=timedelta(seconds=2))
# By the length of an IPv6 prefix: whoever holds one has all the networks in it for nothing. Each
# is worth a few networks, and the widest, a whole provider's, less than a form. A quarter of what
# many share is kept for networks that were not seen before.
WIDER = {
    56: Limit("network/56", burst=120, interval=timedelta(seconds=1), kept=30),
    48: Limit("network/48", burst=240, interval=timedelta(seconds=1) / 2, kept=60),
    32: Limit("network/32", burst=480, interval=timedelta(seconds=1) / 4, kept=120),
}
FORM = Limit("form", burst=600, interval=timedelta(minutes=1) / 600, kept=150)
PROVIDER = Limit("recipient-domain", burst=600, interval=timedelta(hours=1) / 600)
# Of anybody's: a domain may take whatever is sent to it into one mailbox. Docs: adr/0017.
DOMAIN = Limit("recipient-domain/other", burst=20, interval=timedelta(minutes=30))
# Of one API key, in one process. Each leaves an event for ever: some 600 MB a day at most.
QUESTIONS = Limit("questions", burst=6000, interval=timedelta(seconds=1) / 20)
# Of one API key, in one process: each call decrypts what stays of up to ten thousand people.
EVIDENCE_SEARCHES = Limit("evidence searches", burst=120, interval=timedelta(seconds=6))
# Of one session on a person's own pages, in one process. Each leaves an event for as long as they
# are known.
EXPORTS = Limit("exports", burst=9, interval=timedelta(minutes=2))
# Of one network, in one process: each has the identity provider asked what a code stands for.
CODES = Limit("codes", burst=20, interval=timedelta(seconds=6))
# What counts a network, and is empty for so long, has not seen it before.
SEEN_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wait:
    """A limit that is told is reached: nothing was kept, and *how_long* says when to come."""

    how_long: timedelta


def limit_key(secret: Secret, limit: Limit, value: str) -> bytes:
    """The row that counts *value* under *limit*; says nothing without the weekly key."""
    return secret.mac(f"{limit.name}\0{value}".encode())


class Bucket:
    """What one row counts: a hit pours in, time empties it. Pure."""

    def __init__(self, limit: Limit, empty_at: datetime, longest: timedelta = timedelta()) -> None:
        self.empty_at = empty_at
        self._limit = limit
        self._longest = longest  # how long what is over the burst may wait its turn
        self._most = limit.interval * limit.burst + longest
        self._kept = limit.interval * limit.kept

    def pour(self, now: datetime) -> timedelta | None:
        """Count one hit; None: it must not be, and is not counted.

        Otherwise how long it waits for its turn, which is nothing within the burst.
        """
        self.settle(now)
        poured = max(self.empty_at, now) + self._limit.interval
        if poured > now + self._most:
            return None
        self.empty_at = poured
        return max(poured - now - self._most + self._longest, timedelta())

    def seen(self, now: datetime) -> bool:
        """Whether something was counted here of late."""
        return self.empty_at > now - SEEN_FOR

    def settle(self, now: datetime) -> None:
        """Correct what no hit can have put there: it counts as full, but for what is kept.

        Such a moment is from a clock that ran ahead, and would refuse everybody
        until it comes.
        """
        if self.empty_at > now + self._most:
            self.empty_at = now + self._most - self._kept

    def wait(self, now: datetime, *, seen: bool = False) -> timedelta:
        """How long until `pour` would count one more hit; nothing, or less: it would now.

        One that is from where others were *seen* leaves free what is kept.
        """
        self.settle(now)
        poured = max(self.empty_at, now) + self._limit.interval
        return poured + (self._kept if seen else timedelta()) - now - self._most


async def hold(
    connection: AsyncConnection, keys: Sequence[bytes], before: Mapping[bytes, bytes]
) -> dict[bytes, datetime]:
    """Lock the rows of *keys* in that order, and say when each bucket is empty.

    Everybody locks networks before forms, and those of a kind in the order of
    their keys: otherwise two groups could wait for each other's rows. Read
    the clock after this, or a moment from before the wait would empty buckets.
    A row that counted nothing yet goes on from where that of last week stands,
    which *before* names.
    """
    statement = upsert(connection, rate_limit).on_conflict_do_update(
        index_elements=["key"], set_={"empty_at": rate_limit.c.empty_at}
    )
    rows = [{"key": key, "empty_at": 0} for key in keys]
    held = await connection.execute(
        statement.returning(rate_limit.c.key, rate_limit.c.empty_at), rows
    )
    levels = {key: _moment(empty_at) for key, empty_at in held}
    fresh = {before[key]: key for key in levels if levels[key] == _EPOCH and key in before}
    if fresh:  # which nobody writes any more
        query = select(rate_limit.c.key, rate_limit.c.empty_at).where(rate_limit.c.key.in_(fresh))
        last = await connection.execute(query)
        levels |= {fresh[key]: _moment(empty_at) for key, empty_at in last}
    return levels


def _moment(stored: object) -> datetime:
    """As it is stored; what somebody else wrote is a full bucket at most, or an empty one."""
    if not isinstance(stored, int):
        return _EPOCH
    return _EPOCH + _MICROSECOND * min(max(stored, 0), _LATEST)


async def write(connection: AsyncConnection, levels: Mapping[bytes, datetime]) -> None:
    """Store when the buckets of rows that are held are empty."""
    statement = upsert(connection, rate_limit)
    rows = [
        {"key": key, "empty_at": (empty_at - _EPOCH) // _MICROSECOND}
        for key, empty_at in sorted(levels.items())
    ]
    stored = statement.on_conflict_do_update(
        index_elements=["key"], set_={"empty_at": statement.excluded.empty_at}
    )
    if rows:
        await connection.execute(stored, rows)


async def reserve(
    connection: AsyncConnection,
    keys: Sequence[bytes],
    limit: Limit,
    now: datetime,
    longest: timedelta,
) -> timedelta | None:
    """Count one hit that may wait its turn; how long, or None where that is over *longest*.

    *keys* are those of this week and the last. What is reserved is counted, so that those who
    wait get moments of their own.
    For a duty that runs alone: several keys of a transaction are locked as they come.
    """
    key = keys[0]
    levels = await hold(connection, [key], dict(pairwise(keys)))
    bucket = Bucket(limit, levels[key], longest)
    turn = bucket.pour(now)
    await write(connection, {key: bucket.empty_at})
    return turn


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Delete the rows that limit nothing any more, nor tell what was seen; returns how many."""
    moment = (now - SEEN_FOR - _EPOCH) // _MICROSECOND
    return await delete_free(connection, rate_limit, rate_limit.c.empty_at <= moment)


class Meter:
    """Counts callers with a key, or sessions, against one limit, in memory. Pure."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._buckets: dict[str, Bucket] = {}

    def count(self, caller: str, now: datetime) -> Wait | None:
        """Count one hit; how long to wait where it must not be, and is not counted."""
        if len(self._buckets) >= _MANY:  # what is empty counts nothing
            full = ((name, one) for name, one in self._buckets.items() if one.empty_at > now)
            self._buckets = dict(full)
        bucket = self._buckets.setdefault(caller, Bucket(self._limit, now))
        wait = bucket.wait(now)
        if wait > timedelta():
            return Wait(wait)
        bucket.pour(now)
        return None
