"""What a verification found, and how much that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """What stands behind a report; each level includes those above it."""

    SIGNED = "signed"  # by a key outside the database: its administrator cannot forge it
    HELD_OUTSIDE = "held outside"  # fits copies out of the operator's reach


class Problem(StrEnum):
    """What can be wrong."""

    MISSING = "missing"  # an index without an entry
    EXTRA = "extra"  # a row that the log does not count
    ALTERED = "altered"  # no gateway wrote this entry at this index
    COLUMNS = "columns"  # what is kept for searching differs from the entry
    DUPLICATE = "duplicate"  # one event twice
    NODE = "node"  # a stored subtree hash that the leaves do not give
    STATE = "state"  # size and frontier do not fit the entries
    CHECKPOINT = "checkpoint"  # a checkpoint that is not ours, or that the entries do not give
    GUARD = "guard"  # missing, forged or restored
    CUT_OFF = "cut off"  # entries that were published are gone
    ITEMS = "items"  # a batch whose items do not give its root
    PAYLOAD = "payload"  # facts that are not what was committed to
    GONE = "gone"  # facts that no erasure accounts for
    TIME = "time"  # an entry that is dated before one that was there already
    MALFORMED = "malformed"  # a row that holds what no gateway can have written; readers pass it
    PENDING = "pending"  # a staged row that no gateway staged; nothing behind it gets an index


# What says that the entries are not those that were signed. Facts that are gone, or dates that run
# backwards, do not: whoever has them cannot put them right, and entries behind them are as true.
BREAKING = frozenset(
    {
        Problem.MISSING,
        Problem.EXTRA,
        Problem.ALTERED,
        Problem.DUPLICATE,
        Problem.STATE,
        Problem.CHECKPOINT,
        Problem.GUARD,
        Problem.CUT_OFF,
    }
)


class Since(NamedTuple):
    """Up to where a log was verified, and the root over it."""

    generation: int
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; *index* where one entry is to blame."""

    problem: Problem
    index: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a verification; `level` only says something where all is well."""

    ok: bool
    size: int
    first_bad: int | None
    cut_off_after: int | None
    findings: Sequence[Finding]
    level: Level | None
    gaps: Sequence[str] = ()  # what was lost and is told of by a successor: no finding
    broken: bool = False  # entries are not what was signed: nothing is signed on top of them
    reached: Since | None = None  # up to where its newest log is as it should be
    whole: bool = True  # whether every entry was looked at


@dataclass(slots=True)
class Findings:
    """Collects findings in bounded memory: what is first and what is cut off is kept exactly."""

    limit: int = 1000
    kept: list[Finding] = field(default_factory=list)
    first_bad: int | None = None
    cut_off_after: int | None = None
    total: int = 0
    broken: bool = False

    def add(self, problem: Problem, index: int | None, text: str) -> None:
        self.total += 1
        self.broken |= problem in BREAKING
        if index is not None and (self.first_bad is None or index < self.first_bad):
            self.first_bad = index
        if len(self.kept) < self.limit:
            self.kept.append(Finding(problem, index, text))

    def cut_off(self, after: int, text: str) -> None:
        """Record that the log ends after *after* entries, though there were more."""
        self.add(Problem.CUT_OFF, None, text)
        if self.cut_off_after is None or after < self.cut_off_after:
            self.cut_off_after = after

    def join(self, name: str, other: Findings) -> None:
        """Take over what was found in the log of that *name*, one of several."""
        self.total += other.total
        self.broken |= other.broken
        room = max(0, self.limit - len(self.kept))
        self.kept += [
            Finding(one.problem, one.index, f"{name}: {one.text}") for one in other.kept[:room]
        ]
        if self.first_bad is None:
            self.first_bad = other.first_bad
        if self.cut_off_after is None:
            self.cut_off_after = other.cut_off_after

    def report(
        self,
        size: int,
        level: Level,
        gaps: Sequence[str] = (),
        *,
        reached: Since | None = None,
        whole: bool = True,
    ) -> Report:
        ok = self.total == 0
        return Report(
            ok,
            size,
            self.first_bad,
            self.cut_off_after,
            self.kept,
            level if ok else None,
            gaps,
            broken=self.broken,
            reached=reached if ok else None,
            whole=whole,
        )
