"""Trying a backup: put back into scratch, and everything in it verified there.

The scratch is SQLite's, whatever the backup is of, beside the backup and gone
afterwards: no server has to be there, and none gets more to do. A backup is judged
as of the moment at which it was taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.succession import generation_named
from consent.keys import epochs, verified
from consent.keys.verified import VerifiedBackup
from gateway.backups import folders, reading
from gateway.backups.manifest import Manifest, Store
from gateway.backups.putting_back import put_back
from gateway.config.config import Config
from gateway.errors import BackupError
from gateway.flows.proving.verify import Verification, verify
from gateway.keyfiles import keyring
from gateway.parts import Parts
from gateway.process.lifespan import open_parts
from gateway.schema import database_schema
from gateway.schema.database_schema import GUARD
from storage.clock import Clock
from storage.database import Database, open_database
from storage.honesty import RowKeys

Progress = Callable[[str, int], None]  # at what, and how far


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it."""

    manifest: Manifest
    verification: Verification
    wrapping: frozenset[int]  # epochs that keys in it are wrapped by

    @property
    def ok(self) -> bool:
        return self.verification.ok


class Then:
    """The clock of a backup, which stands still."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    async def now(self, connection: AsyncConnection) -> datetime:
        return self._moment

    def at(self, servers: datetime | None) -> datetime:
        return self._moment

    def wall(self) -> datetime:
        return self._moment


async def check(
    backup: Path,
    config: Config,
    identity: Path | None,
    progress: Progress = lambda what, done: None,
) -> Checked:
    """Put the backup at *backup* back into scratch, and verify it as `gateway audit verify` does.

    Changes nothing elsewhere. `BackupError` where it cannot be put back.
    """
    backup = reading.newest(backup)
    with folders.alone(backup.parent), folders.scratch(backup.parent) as scratch:
        async with opened(backup, config, scratch, identity, progress) as (manifest, parts):
            known = [] if manifest.log.note is None else [manifest.log.note]
            told = await verify(
                parts, known, lambda done, _: progress("checking", done), with_guard=False
            )
            async with parts.key_database.read() as connection:
                wrapping = await epochs.wrapping(connection)
            return Checked(manifest, told, wrapping)


@asynccontextmanager
async def opened(
    backup: Path, config: Config, scratch: Path, identity: Path | None, progress: Progress
) -> AsyncIterator[tuple[Manifest, Parts]]:
    """The gateway as it stood in *backup*, put back into the folder *scratch*."""
    ring = keyring.current(config.keys.keyring)
    urls = {store: f"sqlite:///{scratch}/{store}.db" for store in Store}
    manifest = await put_back(
        backup,
        urls,
        RowKeys(ring.rows),
        identity=identity,
        progress=lambda rows: progress("putting back", rows),
    )
    if lacking := await _lacking(urls[Store.KEYSTORE], ring.keks):
        numbers = ", ".join(map(str, sorted(lacking)))
        said = f"its keys are wrapped under epoch {numbers}, which this keyring does not have"
        raise BackupError(f"{said}: nobody in it can be read; delete it and take another")
    if generation_named(config.audit.origin, manifest.log.origin) is None:
        raise BackupError(f"it is of {manifest.log.origin}, and not of {config.audit.origin}")
    at = moved(config, urls[Store.DATA], urls[Store.KEYSTORE], f"sqlite:///{scratch}/guard.db")
    # Beside the journals stands what was published where people are served.
    apart = config.delivery.model_copy(update={"journal_dir": scratch / "journal"})
    at = at.model_copy(update={"delivery": apart})
    async with open_database("guard", at.guard_url) as guard:
        await database_schema.upgrade_one(guard, GUARD)
    clock: Clock = Then(manifest.made_at)
    async with open_parts(at, clock) as parts:
        # A backup has no guard; a copy of the data has to have one to be looked at.
        async with parts.guard.begin() as connection:
            await parts.publisher.guard_copy(connection, manifest.log.note)
        yield manifest, parts


async def _lacking(keystore: str, held: Collection[int]) -> set[int]:
    async with open_database("keystore", keystore) as database, database.read() as connection:
        return set(await epochs.wrapping(connection)) - set(held)


def moved(config: Config, data: str, keystore: str, guard: str) -> Config:
    """The configuration with other databases."""
    storage = config.storage.model_copy(update={"url": data, "keystore_url": keystore})
    audit = config.audit.model_copy(update={"guard_url": guard})
    return config.model_copy(update={"storage": storage, "audit": audit})


async def remember(keystore: Database, rows: RowKeys, clock: Clock, one: Checked) -> None:
    """Write down in the key store that is served that this backup is whole."""
    async with keystore.begin() as connection:
        now = await clock.now(connection)
        states = {number: epochs.EpochState(state) for number, state in one.manifest.epochs.items()}
        seen = VerifiedBackup(one.manifest.id, one.manifest.made_at, now, states, one.wrapping)
        await verified.record(connection, rows, seen)
