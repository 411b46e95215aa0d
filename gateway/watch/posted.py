"""Whether the mailbox that keeps public checkpoints got the last one, as a watcher is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import mailed
from audit.log import Log
from audit.rowmac import RowMacs
from delivery import outbox
from gateway.config.config import Audit, Config
from gateway.errors import KeyFileError
from gateway.keyfiles import keyring
from gateway.watch.findings import Finding, ok, warn
from gateway.watch.numbers import counted
from storage.clock import DatabaseClock
from storage.database import Database

_ABOUT = "checkpoint mail"
_LATE = timedelta(hours=6)
_LOOKED_AT = 16  # mails; which of them the relay took


@dataclass(frozen=True, slots=True)
class Posted:
    """The last mails: when one was taken by the relay, and since when none was."""

    every: timedelta
    accepted_at: datetime | None  # of the newest that the relay took
    queued_at: datetime | None  # the oldest that we know of and the relay did not take since then
    state: str | None  # what became of the newest one; none: there is none

    def late(self, now: datetime) -> timedelta:
        """For how long one that was due is not handed over."""
        if self.accepted_at is not None:
            return max(now - self.accepted_at - self.every, timedelta())
        return timedelta() if self.queued_at is None else max(now - self.queued_at, timedelta())

    def said(self, now: datetime) -> str:
        """In a line."""
        if self.state is None:
            return "none yet: the first follows the next public checkpoint"
        if self.accepted_at is None:
            return f"the relay took none yet; the last one is {self.state}"
        hours = int((now - self.accepted_at).total_seconds()) // 3600
        late = "LATE: " if self.late(now) > _LATE else ""
        return f"{late}the relay took the last one {counted(hours, 'hour')} ago"


async def look(connection: AsyncConnection, macs: RowMacs, audit: Audit) -> Posted | None:
    """What became of the mails that the log tells of; None where none is to be sent."""
    if audit.mail is None:
        return None
    mails = await mailed.newest(connection, macs, _LOOKED_AT)
    ends = await outbox.ends_of(connection, [one.message for one in mails])
    accepted, waiting = None, None
    for one in mails:
        state, ended_at = ends.get(one.message, ("not known any more", None))
        if state == outbox.Status.SENT:
            accepted = ended_at
            break
        waiting = one.at
    newest = ends.get(mails[0].message, ("not known any more", None))[0] if mails else None
    return Posted(audit.mail.every, accepted, waiting, newest)


async def about(config: Config, database: Database) -> list[Finding]:
    """The doctor's finding; nothing where none is to be sent, or the keyring cannot be read."""
    if config.audit.mail is None:
        return []
    try:
        ring = keyring.load(config.keys.keyring)
    except KeyFileError:
        return []  # said already
    macs = Log(config.audit.origin, ring.audit, "doctor").macs
    async with database.read() as connection:
        now = await DatabaseClock().now(connection)
        seen = await look(connection, macs, config.audit)
    return [] if seen is None else [*told(seen, now)]


def told(seen: Posted, now: datetime) -> Iterator[Finding]:
    """What an operator is told of them at *now*."""
    if seen.late(now) > _LATE:
        fix = "see that a worker runs and that the relay takes mails to controller.contact"
        yield warn(_ABOUT, seen.said(now), fix)
    else:
        yield ok(_ABOUT, seen.said(now))
