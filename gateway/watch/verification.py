"""The last verification of the live log, as whoever watches is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit import verified
from audit.verified import Scope, Verified
from audit.witnessed import Seen
from gateway.config.config import Audit, Config
from gateway.errors import KeyFileError
from gateway.keyfiles import keyring
from gateway.watch.findings import Finding, fail, ok, warn
from gateway.watch.numbers import counted
from storage.clock import DatabaseClock
from storage.database import Database
from storage.honesty import RowKeys

_ABOUT = "verification"
_LATE = timedelta(hours=36)  # a night was left out
_READ = "run `gateway audit verify`: it names each"


@dataclass(frozen=True, slots=True)
class Nights:
    """What is remembered of verifications."""

    last: Verified | None
    whole_at: datetime | None  # of the last that looked at every entry

    @property
    def faults(self) -> int:
        """How much the last one found, in the log and beside it."""
        return 0 if self.last is None else self.last.findings + self.last.rows

    def said(self) -> str:
        """What the last one came to, in a line, without when it was."""
        if self.last is None:
            return "none yet"
        if self.last.ok:
            much = "everything" if self.last.scope is Scope.WHOLE else "what was newer"
            return f"all well, {counted(self.last.since.size, 'entry', 'entries')} ({much})"
        bad = self.last.first_bad
        first = "" if bad is None else f", the first at index {bad}"
        said = f"FAILED: {counted(self.last.findings, 'fault')} in the log{first}"
        rows = counted(self.last.rows, "row that does not fit it", "rows that do not fit it")
        return f"{said}, {rows}"


async def look(guard: Database, keys: RowKeys, log: str) -> Nights:
    """What is remembered of the log whose first origin this is."""
    async with guard.read() as connection:
        known = await verified.known(connection, keys, log)
    whole = (one.at for one in known if one.scope is Scope.WHOLE)
    return Nights(verified.last(known), next(whole, None))


async def about(config: Config, guard: Database) -> list[Finding]:
    """The doctor's findings; nothing where the keyring cannot be read, which is said already."""
    try:
        ring = keyring.load(config.keys.keyring)
    except KeyFileError:
        return []
    nights = await look(guard, RowKeys(ring.rows), config.audit.origin)
    async with guard.read() as connection:
        now = await DatabaseClock().now(connection)
    return [*told(nights, now, config.audit.verify_all_every)]


def told(nights: Nights, now: datetime, every: timedelta) -> Iterator[Finding]:
    """What an operator is told of them at *now*."""
    if nights.last is None:
        yield ok(_ABOUT, "none yet: the first is in the night after `gateway init`")
        return
    if not nights.last.ok:
        stands = ", and nothing is signed until then" if nights.last.broken else ""
        yield fail(_ABOUT, nights.said(), f"{_READ}{stands}")
        return
    fix = "see the log lines of the duty verification, or run `gateway audit verify`"
    age = now - nights.last.at
    if age > _LATE:
        hours = counted(int(age.total_seconds()) // 3600, "hour")
        yield warn(_ABOUT, f"the last one is {hours} old", fix)
    elif nights.whole_at is None or now - nights.whole_at > every + _LATE:
        yield warn(_ABOUT, "the last one of every entry is too old", fix)
    else:
        yield ok(_ABOUT, nights.said())


def of_witnesses(seen: Seen, audit: Audit) -> str:
    """How many cosigned the last public checkpoint, in a line."""
    who = ", ".join(one.witness for one in seen.cosignatures) or "none"
    return f"{len(seen.cosignatures)} of {len(audit.witnesses)}, {audit.quorum} needed: {who}"
