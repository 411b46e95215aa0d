"""The rows of an installation of the first release are signed, once: part of `gateway db upgrade`.

Its processes are stopped meanwhile. A run that was killed goes on where it
ended; the last thing that changes is the keyring's format, and until then
nothing of this release works with rows (`keyring.current`). What the first
release had signed is adopted only where that fits; what it had not, as it stands.

It is done once for all machines, and the log says so: a keyring of the first
release that turns up later, on another machine or from a backup, is written
anew, and signs nothing that somebody wrote meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from audit import trail
from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import lookup, signed
from consent.lookup import LookUp
from delivery import outbox
from gateway.callers import api_keys
from gateway.config.config import Config
from gateway.keyfiles import keyring
from gateway.keyfiles.keyring import Keyring
from storage.clock import Clock
from storage.database import Database, open_database
from storage.honesty import RowKeys
from storage.signed import Adopter

_INDEX = Adopter(lookup.SIGNED)  # its rows are moved from people's; here they are counted
Told = Callable[[str, int], None]  # a table, and how many of its rows were looked at


async def adopt(config: Config, clock: Clock, tell: Told) -> Mapping[str, int] | None:
    """Sign what waits for it; returns how many rows of each table are signed now.

    None where nothing was to do; empty where another run signed them before.
    """
    path = config.keys.keyring_file
    if not path.exists():
        return None  # nothing was ever kept here
    ring = keyring.load(path)
    if ring.format != 1:
        return None
    async with open_database("data", config.storage.url, patience=None) as data:
        log = Log(config.audit.origin, ring.audit, "upgrade")
        async with data.read() as connection:
            done = await trail.happened(connection, log.macs, Kind.ROWS_ADOPTED)
        if not done:
            await _name_domains(data, config)
        counts = {} if done else await _sign(data, log, clock, ring, tell)
    keyring.modernise(path, ring)
    return counts


async def _name_domains(data: Database, config: Config) -> None:
    async with data.begin() as connection:
        domains = {name: sender.dkim_domain for name, sender in config.senders.items()}
        await outbox.name_domains(connection, domains)


async def _sign(
    data: Database, log: Log, clock: Clock, ring: Keyring, tell: Told
) -> Mapping[str, int]:
    for adopter in _adopters(ring):
        done = 0
        while number := await _page(data, adopter, RowKeys(ring.rows)):
            done += number
            tell(adopter.signed.table.name, done)
    people, done = LookUp(ring.lookup, RowKeys(ring.rows)), 0
    while number := await _move(data, people):
        done += number
        tell(_INDEX.signed.table.name, done)
    return await _record(data, log, clock, ring)


def _adopters(ring: Keyring) -> list[Adopter]:
    return [*signed.adopters(ring.rows.secret), Adopter(outbox.SIGNED), api_keys.ADOPTER]


async def _page(data: Database, adopter: Adopter, keys: RowKeys) -> int:
    async with data.begin() as connection:
        return await adopter.adopt(connection, keys)


async def _move(data: Database, people: LookUp) -> int:
    async with data.begin() as connection:
        return await people.adopt(connection)


async def _record(data: Database, log: Log, clock: Clock, ring: Keyring) -> Mapping[str, int]:
    """One event with a count for each table: what is signed from here on was not planted before."""
    async with data.begin() as connection:
        every = [*_adopters(ring), _INDEX]
        counts = {one.signed.table.name: await one.count(connection) for one in every}
        now = await clock.now(connection)
        refs = {name: str(count) for name, count in counts.items()}
        event = Event(Kind.ROWS_ADOPTED, Actor.SYSTEM, now, refs=refs)
        await log.stage(connection, [draft(event, None, log.node)])
    return counts
