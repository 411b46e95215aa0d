"""What commands open that change something and say so in the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import successor
from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.signers import Signers
from consent.keys import sets
from gateway.config.config import Config
from gateway.keyfiles import belonging, followed_sets, keyring
from gateway.schema import database_schema
from storage.clock import Clock, DatabaseClock
from storage.database import Database, open_database
from storage.honesty import RowKeys

if TYPE_CHECKING:
    from gateway.parts import Parts


@dataclass(frozen=True)
class Stores:
    """The data database and its log, for one command."""

    data: Database
    rows: RowKeys
    log: Log
    signers: Signers
    clock: Clock

    async def record(
        self, connection: AsyncConnection, kind: Kind, now: datetime, refs: Mapping[str, str]
    ) -> None:
        """Stage what the operator did; the last thing in its transaction."""
        event = Event(kind, Actor.OPERATOR, now, refs=refs)
        await self.log.stage(connection, [draft(event, None, self.log.node)])


@asynccontextmanager
async def open_stores(config: Config) -> AsyncIterator[Stores]:
    """Open the data of an initialised gateway; it may be running."""
    ring = keyring.current(config.keys.keyring)
    async with (
        open_database("data", config.storage.url) as data,
        open_database("key store", config.storage.keystore_url) as keys,
    ):
        await database_schema.require_usable({"data": data, "keystore": keys})
        async with keys.read() as connection:
            # A row by a key that the others let go would be none of ours.
            found = await sets.standing(connection, RowKeys(ring.rows))
        followed_sets.stand(ring.sets, found)
        await belonging.require_own(config, ring, keys)
        async with data.read() as connection:
            signers = ring.signers(config.audit.origin)
            generation = await successor.current(connection, ring.audit, signers.verifier)
        log = Log(config.audit.origin, ring.audit, "cli", generation)
        yield Stores(data, RowKeys(ring.rows), log, signers, DatabaseClock())


@asynccontextmanager
async def open_own_parts(config: Config) -> AsyncIterator[Parts]:
    """As `open_parts`; raises `KeyFileError`, too, under the keyring of another gateway."""
    from gateway.process.lifespan import open_parts

    async with open_parts(config) as parts:
        await belonging.require_own(config, parts.keyring, parts.key_database)
        yield parts
