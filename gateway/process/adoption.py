"""The rows of an installation of the first release are signed, once: part of `gateway db upgrade`.

Its processes are stopped meanwhile. A run that was killed goes on where it
ended; the last thing that changes is the keyring's format, and until then
nothing of this release works with rows (`keyring.current`). What the first
release had signed is adopted only where that fits; what it had not, as it stands.

It is done once for all machines, and the log says so: a keyring of the first
release that turns up later, on another machine or from a backup, is written
anew, and signs nothing that somebody wrote meanwhile. Only that the log does
*not* say so lets rows be signed; so it is published up to its last entry and
read from its first, both against the guard, before the first signature and
after the last. In between the keyring says that it has begun: rows that are
signed beside one that does not are of another run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import successor, trail
from audit.entry import Event, draft
from audit.errors import RowDamaged
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.publish import Publisher
from consent import lookup, signed
from consent.lookup import LookUp
from delivery import outbox
from gateway.callers import api_keys
from gateway.config.config import Config
from gateway.config.fields import Variable
from gateway.errors import KeyFileError
from gateway.keyfiles import keyring
from gateway.keyfiles.keyring import Adoption, Keyring
from storage.clock import Clock
from storage.database import Database, open_database
from storage.honesty import RowKeys
from storage.locks import keep_out
from storage.signed import Adopter, Key

K = TypeVar("K")

_DUTY = "adoption"
_INDEX = Adopter(lookup.SIGNED)  # its rows are moved from people's; here they are counted
Told = Callable[[str, int], None]  # a table, and how many of its rows were looked at


async def adopt(config: Config, clock: Clock, tell: Told) -> Mapping[str, int] | None:
    """Sign what waits for it; returns how many rows of each table are signed now.

    None where nothing was to do; empty where another run signed them before.
    """
    path = config.keys.keyring
    if isinstance(path, Path) and not path.exists():
        return None  # nothing was ever kept here
    ring = keyring.load(path)
    if ring.adoption is Adoption.DONE:
        return None
    counts: Mapping[str, int] = {}
    async with (
        open_database("data", config.storage.url, patience=None) as data,
        open_database("guard", config.guard_url, patience=None) as guard,
    ):
        log = _Log(Log(config.audit.origin, ring.audit, "upgrade"), ring, data, guard, clock)
        # A successor is opened by releases that had signed their rows.
        successors = await _has_successors(config, ring, data)
        if not successors and not await log.tells():
            ring = await _begin(path, ring, data)
            await _name_domains(data, config)
            counts = await _sign(data, log.log, clock, ring, tell)
            if not await log.tells():
                raise RowDamaged("audit_pending")  # the event went before it got its index
    keyring.modernise(path, ring)
    return counts


async def _has_successors(config: Config, ring: Keyring, data: Database) -> bool:
    async with data.read() as connection:
        verifier = ring.signers(config.audit.origin).verifier
        return await successor.current(connection, ring.audit, verifier) > 1


@dataclass(frozen=True, slots=True)
class _Log:
    """The log with its guard, without which it is not believed."""

    log: Log
    ring: Keyring
    data: Database
    guard: Database
    clock: Clock

    async def tells(self) -> bool:
        """Whether it says that the rows were signed; publishes all there is.

        Raises `AuditError` where anything in it was altered or is missing.
        """
        more: int | None = 1
        while more:
            async with self.data.begin() as connection:
                more = await self.log.sequence(connection)
        publisher = Publisher(self.log, self.ring.signers(self.log.first))
        await publisher.publish(self.data, self.guard, self.clock)
        return await publisher.tells_of(self.data, self.guard, Kind.ROWS_ADOPTED)


async def _begin(path: Path | Variable, ring: Keyring, data: Database) -> Keyring:
    """Note that rows are signed from here on; refuse where another run did already."""
    if ring.adoption is Adoption.BEGUN:
        return ring
    keys = RowKeys(ring.rows)
    theirs = [(one.signed, keys) for one in _adopters(ring)]
    for table, signed_by in [*theirs, (lookup.SIGNED, RowKeys(ring.lookup))]:
        if await table.has_ours(data, signed_by):
            raise KeyFileError(
                f"{path} is of the first release, and rows were signed with another copy of it:"
                " copy the keyring that `gateway db upgrade` wrote where it ran first"
            )
    return keyring.modernise(path, ring, Adoption.BEGUN)


async def _name_domains(data: Database, config: Config) -> None:
    async with data.begin() as connection:
        domains = {name: sender.dkim_domain for name, sender in config.senders.items()}
        await outbox.name_domains(connection, domains)


async def _sign(
    data: Database, log: Log, clock: Clock, ring: Keyring, tell: Told
) -> Mapping[str, int]:
    keys = RowKeys(ring.rows)
    for adopter in _adopters(ring):
        await _each_page(data, _signing(adopter, keys), adopter.signed.table.name, tell)
    moving = LookUp(ring.lookup, keys).adopt
    await _each_page(data, moving, _INDEX.signed.table.name, tell)
    return await _record(data, log, clock, ring)


def _adopters(ring: Keyring) -> list[Adopter]:
    return [*signed.adopters(ring.rows.secret), Adopter(outbox.SIGNED), api_keys.ADOPTER]


async def _each_page(
    data: Database,
    work: Callable[[AsyncConnection, K | None], Awaitable[Sequence[K]]],
    table: str,
    tell: Told,
) -> None:
    after: K | None = None
    done = 0
    while True:
        async with data.begin() as connection:
            page = await work(connection, after)
        if not page:
            return
        after, done = page[-1], done + len(page)
        tell(table, done)


def _signing(
    adopter: Adopter, keys: RowKeys
) -> Callable[[AsyncConnection, Key | None], Awaitable[Sequence[Key]]]:
    async def work(connection: AsyncConnection, after: Key | None) -> Sequence[Key]:
        return await adopter.adopt(connection, keys, after)

    return work


async def _record(data: Database, log: Log, clock: Clock, ring: Keyring) -> Mapping[str, int]:
    """One event with a count for each table: what is signed from here on was not planted before."""
    async with data.begin() as connection:
        await keep_out(connection, _DUTY)  # or two that began at once would both tell of it
        if await trail.happened(connection, log.macs, Kind.ROWS_ADOPTED):
            return {}
        every = [*_adopters(ring), _INDEX]
        counts = {one.signed.table.name: await one.count(connection) for one in every}
        now = await clock.now(connection)
        refs = {name: str(count) for name, count in counts.items()}
        event = Event(Kind.ROWS_ADOPTED, Actor.SYSTEM, now, refs=refs)
        await log.stage(connection, [draft(event, None, log.node)])
    return counts
