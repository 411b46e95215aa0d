"""Time in the log runs forward; where it does not, an entry was back-dated or a clock set back.

The order is the index. A transaction reads its moment after its locks and draws its number
last, and what commits late gets its index late: neighbours may disagree by as long as the
longest transaction lasts, which is a minute. All nodes of a log have one clock, the database's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from audit.entry import Entry, Event, draft, format_moment, parse
from audit.kinds import Actor, Kind
from audit.report import Findings, Problem

# What nobody is blamed for: several times the longest transaction, and a step that is told of
# (`STEP`) beside it. Whoever back-dates by less moves an entry no further than a late commit.
TOLERANCE = timedelta(minutes=5)
# From here on the sequencer tells that the clock was set back. Otherwise a machine that came up
# with a wrong time would convict its operator for ever.
STEP = timedelta(minutes=1)
_BEGINNINGS = (Kind.LOG_OPENED, Kind.LOG_CLOSED, b"log.opened", b"log.closed")


def told_steps(
    entries: Iterable[tuple[Entry, bytes]], last: Entry | None, now: datetime, node: str
) -> Iterator[tuple[Entry, bytes]]:
    """Put `clock.step` where what follows an entry dated after *now* is not; *last* comes before.

    It is *now* that shows it, not what is staged: a row that somebody held back
    and put in again is old, too, and must stay a finding.
    """
    for entry, raw in entries:
        if last is not None and last.at > now + STEP and entry.at <= now:
            refs = {"before": format_moment(last.at)}
            step = Event(Kind.CLOCK_STEP, Actor.SYSTEM, now, refs=refs)
            made = draft(step, None, node).entry
            yield parse(made), made
        yield entry, raw
        last = entry


class Times:
    """Looks at the moments of a log in the order of its indexes."""

    def __init__(self, findings: Findings, generation: int = 1) -> None:
        self._findings = findings
        self._first = range(generation)  # indexes of what begins a log, and tells of those before
        self._latest = b""

    def take(self, index: int, at: bytes, kind: bytes | Kind) -> None:
        """Compare an entry that is proved to be one; `clock.step` begins anew where it says."""
        # As entries write them, moments sort as time.
        if kind in _BEGINNINGS and index in self._first:
            self._latest = b""  # behind it comes what was staged for the log before
        elif at >= self._latest or kind in (Kind.CLOCK_STEP, b"clock.step"):
            self._latest = at
        elif (back := _between(at, self._latest)) is None:
            self._findings.add(Problem.TIME, index, "no date that there is")
            self._latest = b""
        elif back > TOLERANCE:
            self._findings.add(Problem.TIME, index, f"time runs backwards by {back}")
            self._latest = at  # what follows is as old as this, and no finding of its own


def _between(earlier: bytes, later: bytes) -> timedelta | None:
    try:
        first, last = (datetime.fromisoformat(one.decode()) for one in (earlier, later))
    except ValueError:
        return None
    return last - first
