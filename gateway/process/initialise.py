"""Making what a gateway needs before its first start: `gateway init`, and the demo."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from audit import public, successor
from audit.log import Log
from audit.publish import Publisher, has_published
from consent.keys import epochs
from gateway.config.config import Config
from gateway.config.fields import Variable
from gateway.errors import KeyFileError, StoresLost
from gateway.keyfiles import belonging, dkim_keys, keyring
from gateway.keyfiles.keyring import Keyring
from gateway.schema import database_schema
from gateway.schema.database_schema import DATA, GUARD, KEYSTORE, Schema
from storage.clock import Clock
from storage.database import Database, open_database
from storage.honesty import RowKeys


async def initialise(config: Config, clock: Clock) -> list[str]:
    """Make what is not there yet: keys, schemas, guard, log; returns what it made, in words.

    Never overwrites, and may be repeated after a crash at any point. Refuses to
    make a new keyring beside databases that another one wrote, a new guard
    beside a log that has entries, and new databases beside the guard of a log.
    """
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(open_database("data", config.storage.url))
        keys = await stack.enter_async_context(
            open_database("key store", config.storage.keystore_url)
        )
        guard = await stack.enter_async_context(open_database("guard", config.guard_url))
        await _require_new_or_whole(data, keys, guard)
        made, ring = await _make_keyring(config, [(data, DATA), (keys, KEYSTORE), (guard, GUARD)])
        made += [f"DKIM key {path}" for path in dkim_keys.create_missing(config, clock.wall())]
        changed = await database_schema.upgrade(config)
        made += [f"tables of the {name} schema" for name, new in changed.items() if new]
        await belonging.require_own(config, ring, keys)
        log = await _log_of(config, ring, data)
        publisher = Publisher(log, ring.signers(config.audit.origin))
        # First: a guard that is missing leaves no row in a key store that was lost with it.
        made += await _make_guard(publisher, data, guard)
        # Before anything is published: then both have rows, and one without any was lost.
        await epochs.install(keys, RowKeys(ring.rows), ring.active_kek, clock.wall())
        made += await _open_log(publisher, data, guard, clock)
        return made


async def _require_new_or_whole(data: Database, keys: Database, guard: Database) -> None:
    """Where something was published both had rows: without any they are lost, tables or not."""
    stores = ((DATA, data), (KEYSTORE, keys))
    lost = [schema.name for schema, one in stores if await database_schema.is_void(one, schema)]
    if not lost:
        return
    if not await database_schema.is_empty(guard, GUARD) and await has_published(guard):
        raise StoresLost(lost, "guard", "the checkpoints of a log")
    async with keys.read() as connection:
        # An init that was ended has left its epoch there; a start has left more.
        if await database_schema.has_rows(connection, KEYSTORE, besides=[epochs.epoch.name]):
            raise StoresLost(lost, "key store", "keys")


async def _make_keyring(
    config: Config, stores: Sequence[tuple[Database, Schema]]
) -> tuple[list[str], Keyring]:
    path = config.keys.keyring
    if isinstance(path, Variable) or path.exists():
        return [], keyring.load(path)
    if not all([await database_schema.is_void(*store) for store in stores]):
        raise KeyFileError(
            f"there is no {path}, but the databases were written with one; restore its backup"
        )
    return [f"keyring {path}"], keyring.create(path)


async def _log_of(config: Config, ring: Keyring, data: Database) -> Log:
    verifier = ring.signers(config.audit.origin).verifier
    async with data.read() as connection:
        generation = await successor.current(connection, ring.audit, verifier)
    return Log(config.audit.origin, ring.audit, "init", generation)


async def _make_guard(publisher: Publisher, data: Database, guard: Database) -> list[str]:
    """Before the log: that must never run unwatched."""
    async with guard.begin() as guarding, data.read() as reading:
        made = await publisher.create_guard(guarding, reading)
    return [f"guard of the log {publisher.log.first}"] if made else []


async def _open_log(
    publisher: Publisher, data: Database, guard: Database, clock: Clock
) -> list[str]:
    log = publisher.log
    async with data.begin() as connection:
        opened = await log.open_log(connection, await clock.now(connection))
    if not opened:
        return []
    await _show_first_checkpoint(log, publisher, data, guard, clock)
    return [f"log {log.first}"]


async def _show_first_checkpoint(
    log: Log, publisher: Publisher, data: Database, guard: Database, clock: Clock
) -> None:
    """What strangers see from the first request on; after a crash before it a duty does this."""
    async with data.begin() as connection:
        await log.sequence(connection)
    await public.show(data, log, clock)
    await publisher.publish(data, guard, clock)
