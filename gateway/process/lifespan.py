"""What a process opens at start and closes at its end, in this order."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path

from audit import successor
from audit.errors import LogRefuted
from audit.log import Log
from audit.publish import Publisher
from consent.consents import Consents, Use
from consent.keys import epochs, set_phases, sets
from consent.keys.keystore import KeyStore
from consent.keys.wrapping import proofs
from consent.lookup import LookUp
from consent.marks import Marks
from consent.wordings import Wordings
from delivery import dkim, due, permits
from delivery.own_templates import Shelf
from delivery.permit_wait import PermitWait
from delivery.templates import Templates
from gateway.config.config import Config
from gateway.config.mailing import mailing
from gateway.door import Door
from gateway.errors import KeyFileError, StoresApart
from gateway.flows.joining import publish_texts
from gateway.flows.restoring import older
from gateway.flows.restoring.high_water import HighWater
from gateway.keyfiles import dkim_keys, followed_sets, keyring
from gateway.keyfiles.keyring import Keyring
from gateway.look import resources
from gateway.look.translations import translations
from gateway.parts import Parts
from gateway.schema import database_schema
from gateway.takings import Takings
from gateway.watch import logs
from storage import bad_rows, files
from storage.clock import Clock, DatabaseClock
from storage.database import Database, open_database, sqlite_files
from storage.honesty import RowKeys


@cache
def _mail_templates(directory: Path, own: Path | None) -> Templates:
    """One for all parts of a process: compiling them takes longer than opening a gateway."""
    if own is None:
        return Templates(directory, translations)
    shelf = Shelf(own, resources.SERVICE)
    shelf.learn()
    return Templates(directory, translations, shelf)


def mail_templates(config: Config) -> Templates:
    """Ours, and the operator's."""
    return _mail_templates(resources.templates() / "mail", config.templates.directory)


@asynccontextmanager
async def open_parts(config: Config, clock: Clock | None = None) -> AsyncIterator[Parts]:
    """Open everything a process works with; changes nothing.

    Raises `SchemaError`, `KeyFileError` or `SigningError` when something is not
    as it must be.
    """
    ring = keyring.current(config.keys.keyring)
    signers = dkim_keys.load(config)
    for signer in signers.values():
        dkim.probe(signer)
    async with AsyncExitStack() as stack:
        data, keys, guard = await _open_stores(config, stack)
        async with data.read() as connection:
            signing = ring.signers(config.audit.origin)
            generation = await successor.current(connection, ring.audit, signing.verifier)
            log = Log(config.audit.origin, ring.audit, _node(), generation)
            await signing.learn(connection, log)
        clock = clock or DatabaseClock()
        rows = RowKeys(ring.rows)
        async with keys.read() as connection:
            followed_sets.stand(ring.sets, await sets.standing(connection, rows))
        yield Parts(
            config=config,
            keyring=ring,
            clock=clock,
            data=data,
            key_database=keys,
            guard=guard,
            keystore=KeyStore(keys, ring.keks, ring.active_kek, rows),
            log=log,
            publisher=Publisher(log, signing),
            rows=rows,
            lookup=LookUp(ring.lookup, rows, ring.beside_lookup),
            consents=Consents(rows, Wordings(mailing(config), log.macs), _use(config)),
            marks=Marks(RowKeys(ring.marks)),
            takings=Takings(data, guard, rows),
            permit_wait=PermitWait(data, clock),
            door=Door(enabled=config.limits.enabled),
            templates=mail_templates(config),
            signers=signers,
        )


async def put_in_order(parts: Parts) -> None:
    """What comes before the first request and the first mail of a process.

    Raises `AuditError` when guard and log do not belong together, `StoresApart` when data
    and key store do not, `AllOlder` when all of them do, and are the past: that is a restored
    backup, and nothing is served or sent before it was dealt with.
    """
    keep_private(parts.config)
    _require_sets(parts.keyring)
    await _require_epochs(parts.key_database, parts.rows, parts.keyring)
    async with parts.key_database.begin() as connection:
        now = await parts.clock.now(connection)
        await sets.install(connection, parts.rows, parts.keyring.rows, now)
    high_water = HighWater(parts.config.delivery.journal_dir, parts.publisher, parts.rows)
    try:
        await high_water.publish(parts.data, parts.guard, parts.clock)
    except LogRefuted as error:  # people are served all the same; the duty says so again
        logs.failed("not_published", error)
    async with parts.data.begin() as connection:
        # A log that was closed before it told which key follows goes on without a word of it.
        now = await parts.clock.now(connection)
        await parts.publisher.signers.sign_in(connection, parts.log, now)
    stores = (parts.data, parts.guard, parts.keystore)
    await _require_of_one_moment(*stores, parts.rows, parts.clock)
    if gone := await older.unfindable(parts.data, parts.lookup, parts.rows, parts.clock):
        raise StoresApart(
            f"people are found by look-up key {gone[-1]}, which the keyring let go of"
        )
    async with parts.data.begin() as connection:
        await parts.lookup.announce(connection)
    await publish_texts.publish(parts)
    async with parts.data.begin() as connection:
        # What was missing may be there again: a configuration is read at a start only.
        now = await parts.clock.now(connection)
        await parts.consents.wordings.learn(connection, now)
        await due.look_again(connection, now)
        await bad_rows.look_again(connection, now)


async def _require_of_one_moment(
    data: Database, guard: Database, keystore: KeyStore, rows: RowKeys, clock: Clock
) -> None:
    """Raise `StoresApart` where the key store is older than the data; looks at few rows."""
    if await older.keyless(data, keystore, rows, clock):
        raise StoresApart("people who signed up last have no key in the key store")
    if await older.unledgered(data, guard, keystore, rows):
        raise StoresApart("people who were erased last are not in the key store's ledger")


async def _require_epochs(keys: Database, rows: RowKeys, ring: Keyring) -> None:
    """Raise `KeyFileError` where keys are wrapped by what only another node's keyring has.

    Everybody would pass for damaged here.
    """
    async with keys.read() as connection:
        lacking = await epochs.lacking(connection, rows, proofs(ring.keks))
    if lacking:
        raise KeyFileError(
            f"the keyring lacks epoch {', '.join(map(str, lacking))}, which wraps keys:"
            " copy the newest keyring to this machine; where that lacks it too, this key store is a"
            " backup from before the epoch was let go"
        )


def _require_sets(ring: Keyring) -> None:
    """Raise `KeyFileError` where only another node's keyring has a key of what stands here."""
    lacking = [
        f"{kind} {number}"
        for kind, keys in ring.sets.items()
        if kind in set_phases.NEEDED
        for number in sorted(keys.lacking)
    ]
    if lacking:
        raise KeyFileError(
            f"the keyring lacks key {', '.join(lacking)}, which makes rows:"
            " copy the newest keyring to this machine"
        )


def keep_private(config: Config) -> None:
    """Take SQLite's files from others: older releases made them by the umask.

    Those that are not ours stay as they are; `gateway doctor` names them.
    """
    for url in (config.storage.url, config.storage.keystore_url, config.guard_url):
        for path in sqlite_files(url):
            files.keep_private(path)


async def _open_stores(
    config: Config, stack: AsyncExitStack
) -> tuple[Database, Database, Database]:
    data = await stack.enter_async_context(open_database("data", config.storage.url))
    keys = await stack.enter_async_context(open_database("key store", config.storage.keystore_url))
    guard = keys
    if config.guard_url != config.storage.keystore_url:
        guard = await stack.enter_async_context(open_database("guard", config.guard_url))
    await database_schema.require_usable({"data": data, "keystore": keys, "guard": guard})
    return data, keys, guard


def _use(config: Config) -> Use:
    """Consents do not know permits: here they are told who does."""
    after = {n: p.unused_after for n, p in config.purposes.items() if p.unused_after is not None}
    return Use(after, permits.last_spent)


def _node() -> str:
    """Which process writes, as the log names it."""
    host = "".join(c if c.isalnum() or c in "-." else "-" for c in socket.gethostname())
    return f"{host[:40] or 'node'}/{os.getpid()}"
