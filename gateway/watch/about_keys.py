"""What the databases say of the keyring: whether it is theirs, and holds all that they need."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from consent.keys import epochs, phases, set_phases, sets, verified
from consent.keys.epochs import EpochState
from consent.keys.verified import VerifiedBackup
from consent.keys.wrapping import proofs
from consent.lookup import LookUp
from gateway.config.config import Config
from gateway.errors import KeyFileError
from gateway.keyfiles import belonging, keyring
from gateway.keyfiles.keyring import Keyring
from gateway.watch.findings import Finding, fail, ok, warn
from gateway.watch.numbers import counted
from storage.database import Database
from storage.honesty import RowKeys

# A timer that runs daily comes a little late.
_A_DAY = timedelta(hours=26)
_TAKE = "run `gateway backup DIR` and `gateway backup --verify DIR` daily (deploy/systemd)"


async def about(config: Config, name: str, database: Database) -> list[Finding]:
    """Compare the keyring with the database of that role; nothing where it cannot be read."""
    try:
        ring = keyring.load(config.keys.keyring)
    except KeyFileError:
        return []  # said already
    if name == "keystore":
        known = [
            *await _about_epochs(config, ring, database),
            *await _about_sets(ring, database),
        ]
        return [*known, await _about_backups(RowKeys(ring.rows), database)]
    if name == "guard":
        return await _about_guard(ring, config.audit.origin, database)
    return [await _about_lookup(ring, database)]


async def _about_guard(ring: Keyring, origin: str, guard: Database) -> list[Finding]:
    if await belonging.signed_the_guard(ring, origin, guard):
        return []
    said = "did not sign what the guard holds: it is another gateway's, or one of before"
    return [fail("keyring", said, "use the newest keyring of these databases")]


async def _about_epochs(config: Config, ring: Keyring, database: Database) -> list[Finding]:
    """A data key whose epoch our keyring lacks opens nothing: that person gets no mail."""
    known = await epochs.known(database, RowKeys(ring.rows))
    mine = proofs(ring.keks)
    lost = [epoch.epoch for epoch in known if epoch.keys and not epoch.held_by(mine)]
    if lost:
        said = f"epochs {', '.join(map(str, lost))} wrap data keys and are not in the keyring"
        return [fail("keys", said, "restore the newest backup of the keyring")]
    active = [epoch for epoch in known if epoch.state is EpochState.ACTIVE]
    wrapping = [epoch for epoch in active if epoch.honest] or active
    if not wrapping or not wrapping[-1].held_by(mine):
        said = f"the keyring lacks the epoch that wraps (it has {_numbers(ring.keks)})"
        return [fail("keys", said, "use the newest keyring of this key store")]
    newest = wrapping[-1]
    age = datetime.now(UTC) - newest.since  # noqa: TID251 an age in days
    said = f"epoch {newest.epoch} is active and {counted(age.days, 'day')} old"
    found = [ok("keys", said)]
    if age > config.keys.rotate_every:
        found = [warn("keys", said, "run `gateway keys rotate`, then copy the keyring")]
    for one in known:
        if (until := phases.recoverable(one)) is not None:
            said = f"what epoch {one.epoch} wrapped is recoverable from copies until {until}"
            found.append(warn("keys", said, "run `gateway keys status`"))
    return found


async def _about_sets(ring: Keyring, database: Database) -> list[Finding]:
    """A machine that lacks a key of rows calls none forged, and does nothing."""
    async with database.read() as connection:
        found = await sets.standing(connection, RowKeys(ring.rows))
    stood = {kind: set_phases.stand(keys.keys, kind, found) for kind, keys in ring.sets.items()}
    lacking = [f"{kind} {number}" for kind, (_, ns) in stood.items() for number in sorted(ns)]
    if not lacking:
        return []
    said = f"the keyring lacks {', '.join(lacking)}, by which others make rows"
    return [fail("keys", said, "copy the newest keyring to this machine")]


def _numbers(epochs: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(epochs)))


async def _about_backups(keys: RowKeys, database: Database) -> Finding:
    """One that was not put back somewhere is a hope."""
    async with database.read() as connection:
        newest = await verified.newest(connection, keys)
    return about_backup(newest, datetime.now(UTC))  # noqa: TID251 an age in hours


def about_backup(newest: VerifiedBackup | None, now: datetime) -> Finding:
    """Whether the newest that was put back somewhere is of today."""
    if newest is None:
        return warn("backups", "none was verified", f"{_TAKE}, and look after the keyring's copy")
    age = now - newest.taken_at
    said = f"the newest verified one is {counted(int(age.total_seconds()) // 3600, 'hour')} old"
    return warn("backups", said, _TAKE) if age > _A_DAY else ok("backups", said)


async def _about_lookup(ring: Keyring, database: Database) -> Finding:
    """A node that lacks a key by which others find people looks nobody up."""
    known = LookUp(ring.lookup, RowKeys(ring.rows), ring.beside_lookup)
    async with database.read() as connection:
        await known.find(connection, ())
    if not known.lacking:
        return ok("look-up keys", "are those by which every node finds people")
    names = ", ".join(f"{kind} {number}" for kind, number in sorted(known.lacking))
    said = f"{names} are missing: no sign-ups, no look-ups"
    return fail("look-up keys", said, "copy the newest keyring to this machine, and restart")
