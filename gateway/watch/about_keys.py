"""What the databases say of the keyring: whether it is theirs, and holds all that they need."""

from __future__ import annotations

from datetime import UTC, datetime

from consent.keys import epochs
from consent.lookup import LookUp
from gateway.config.config import Config
from gateway.errors import KeyFileError
from gateway.keyfiles import keyring
from gateway.keyfiles.keyring import Keyring
from gateway.watch.findings import Finding, fail, ok, warn
from gateway.watch.numbers import counted
from storage.database import Database
from storage.honesty import RowKeys


async def about(config: Config, name: str, database: Database) -> list[Finding]:
    """Compare the keyring with the database of that role; nothing where it cannot be read."""
    try:
        ring = keyring.load(config.keys.keyring_file)
    except KeyFileError:
        return []  # said already
    if name == "keystore":
        return await _about_epochs(config, ring, database)
    return [await _about_lookup(ring, database)] if name == "data" else []


async def _about_epochs(config: Config, ring: Keyring, database: Database) -> list[Finding]:
    """A data key whose epoch our keyring lacks opens nothing: that person gets no mail."""
    known = await epochs.known(database)
    lost = [epoch.epoch for epoch in known if epoch.keys and epoch.epoch not in ring.keks]
    if lost:
        said = f"epochs {', '.join(map(str, lost))} wrap data keys and are not in the keyring"
        return [fail("keys", said, "restore the newest backup of the keyring")]
    if ring.active_kek not in {epoch.epoch for epoch in known}:
        said = f"does not know the keyring's active epoch {ring.active_kek}"
        return [fail("keys", f"the key store {said}", "use the keyring that belongs to it")]
    active = next(epoch for epoch in known if epoch.epoch == ring.active_kek)
    age = datetime.now(UTC) - active.since  # noqa: TID251 an age in days
    if age > config.keys.rotate_every:
        said = f"epoch {active.epoch} is {counted(age.days, 'day')} old"
        return [warn("keys", said, "this release cannot rotate it yet")]
    return [ok("keys", f"epoch {active.epoch} is active and {counted(age.days, 'day')} old")]


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
