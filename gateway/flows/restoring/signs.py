"""Which of the stores is an older one, from a handful of facts. Pure.

That all of them were put back together from one moment, only what stands outside of them
tells: what this machine saw published, or whoever did it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from audit.gaps import Cause
from audit.seen import Seen


@dataclass(frozen=True, slots=True)
class Guard:
    """Where the guard stands: of the log that the data work with, and of the newest one."""

    size: int | None  # none: it has no row for that log
    newest: int  # the number of the newest log that it knows
    newest_size: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is looked at, at every start."""

    log: int  # which log the data work with
    size: int
    published: int  # the size of the newest checkpoint beside it
    guard: Guard | None  # none: there is no guard of ours at all
    keyless: bool = False  # people who came last have no key
    unledgered: bool = False  # people who were erased last are in no ledger
    seen: tuple[int, int] | None = None  # log and size that this machine saw published
    declared: bool = False  # an operator says that all were put back together


@dataclass(frozen=True, slots=True)
class Restored:
    """Which stores are older than they were."""

    data: bool = False
    keys: bool = False
    guard: bool = False

    @property
    def anything(self) -> bool:
        return self.data or self.keys or self.guard

    @property
    def closes(self) -> bool:
        """Whether the log has to be closed: entries of it are gone, or nobody can tell."""
        return self.data or self.guard

    @property
    def cause(self) -> Cause:
        return Cause.GUARD_LOST if self.guard else Cause.RESTORED

    @property
    def names(self) -> list[str]:
        named = (("data", self.data), ("key store", self.keys), ("guard", self.guard))
        return [name for name, older in named if older]


def with_keys(facts: Facts, *, keyless: bool, unledgered: bool, declared: bool) -> Facts:
    """The same, with what was looked at of keys and people."""
    return replace(facts, keyless=keyless, unledgered=unledgered, declared=declared)


def with_seen(facts: Facts, seen: Seen | None) -> Facts:
    """The same, with what this machine saw published."""
    return facts if seen is None else replace(facts, seen=(seen.generation, seen.size))


def judge(facts: Facts) -> Restored:
    """Say which stores are older ones.

    A guard that lags tells nothing of the data: they may be those of now, or older too.
    Where a successor was begun and has nothing yet, somebody was at it: what the guard says
    of the log before decides, and where that says nothing, the data count as older.
    """
    keys = facts.keyless or facts.unledgered
    older = facts.declared or _before(facts.seen, facts.log, facts.size)
    if facts.guard is None:
        return Restored(data=older, keys=keys or facts.declared, guard=True)
    held, begun = facts.guard, facts.guard.newest > facts.log and facts.guard.newest_size == 0
    lags = held.size is None or held.size < facts.published
    ahead = held.newest > facts.log and not begun
    behind = not lags and held.size is not None and held.size > facts.size
    fits = begun and not lags and not behind
    # Of one that was begun, and has nothing yet, the log before it says where the guard stood.
    stands = (facts.log, held.size or 0) if begun else (held.newest, held.newest_size)
    lost = facts.declared or _before(facts.seen, *stands)
    data = ahead or behind or fits or older
    return Restored(data, keys or facts.declared, guard=lost or (lags and not ahead))


def _before(seen: tuple[int, int] | None, log: int, size: int) -> bool:
    """Whether a log of that size comes before what was seen."""
    return seen is not None and (log, size) < seen


def reaches(reach: bool, restored: Restored) -> bool:
    """Whether everything that was taken away since is known: *reach*: its store goes back so far.

    Where not, marketing is held until an operator answers for the time that nobody knows of.
    """
    return not restored.guard and (reach or not restored.data)
