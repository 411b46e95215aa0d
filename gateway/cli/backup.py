"""`gateway backup`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.talk import configuration, fail, progress, result, run, say
from gateway.watch.numbers import counted

if TYPE_CHECKING:
    from gateway.backups.manifest import Manifest
    from gateway.config.config import Config
    from gateway.process.backup_check import Checked


def backup(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where backups lie, or one of them to verify.")
    ],
    recipient: Annotated[
        list[str] | None,
        typer.Option(help="Encrypt to this age recipient (age1…); repeatable."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Try the newest backup there instead of making one.")
    ] = False,
    identity: Annotated[
        Path | None,
        typer.Option(help="With --verify, of an encrypted one: a file with its age identity."),
    ] = None,
) -> None:
    """Back up data and key store, each at one moment, while the gateway runs; prints where.

    The keyring is not in it, nor the guard. --verify puts a backup back into scratch
    and checks all of it; `gateway status` tells how old the newest verified one is.
    """
    if verify and recipient:
        raise typer.BadParameter(
            "only a backup that is made is encrypted", param_hint="--recipient"
        )
    if identity is not None and not verify:
        raise typer.BadParameter("only --verify opens a backup", param_hint="--identity")
    config = configuration(context)
    if verify:
        _tell(*run(_verify(config, folder, identity)))
        return
    made, manifest = run(take(config, folder, recipient or []))
    rows = sum(one.rows for one in manifest.stores.values())
    say(f"{counted(rows, 'row')}, a log of {counted(manifest.log.size, 'entry', 'entries')}")
    if not recipient:
        say("Not encrypted: who reads it sees random ids, states and dates. --recipient encrypts.")
    result(str(made))


async def take(config: Config, folder: Path, recipients: list[str]) -> tuple[Path, Manifest]:
    from audit import successor
    from audit.log import Log
    from gateway.backups import taking
    from gateway.backups.manifest import Store
    from gateway.backups.taking import Source
    from gateway.keyfiles import belonging, keyring
    from gateway.schema import database_schema
    from storage.clock import DatabaseClock
    from storage.database import open_database
    from storage.honesty import RowKeys

    ring = keyring.current(config.keys.keyring)
    urls = {Store.DATA: config.storage.url, Store.KEYSTORE: config.storage.keystore_url}
    async with AsyncExitStack() as stack:
        opened = {
            # Counting the rows of a large table takes minutes.
            store: await stack.enter_async_context(open_database(store, url, patience=None))
            for store, url in urls.items()
        }
        # Else the newest backup would be of nothing, and `gateway restore` puts that one back.
        await database_schema.require_lived_in({str(name): one for name, one in opened.items()})
        await belonging.require_own(config, ring, opened[Store.KEYSTORE])
        guard = await stack.enter_async_context(open_database("guard", config.guard_url))
        signers = ring.signers(config.audit.origin)
        async with opened[Store.DATA].read() as connection:
            generation = await successor.current(connection, ring.audit, signers.verifier)
            log = Log(config.audit.origin, ring.audit, "backup", generation)
            await signers.learn(connection, log)
        rows = RowKeys(ring.rows)
        source = Source(opened, guard, log, signers.verifier, rows, DatabaseClock())
        with progress("backing up", None) as move:
            return await taking.take(folder, source, recipients, move)


async def _verify(config: Config, folder: Path, identity: Path | None) -> tuple[Checked, bool]:
    from gateway.backups import reading
    from gateway.process.backup_check import check

    backup = reading.newest(folder)
    with progress(f"verifying {backup.name}", None) as move:
        checked = await check(backup, config, identity, lambda _, done: move(done))
    return checked, checked.ok and await _remembered(config, checked)


async def _remembered(config: Config, checked: Checked) -> bool:
    """Whether the key store that is served could be told; a backup may be tried elsewhere."""
    from gateway.errors import SchemaError
    from gateway.keyfiles import keyring
    from gateway.process.backup_check import remember
    from gateway.schema import database_schema
    from storage.clock import DatabaseClock
    from storage.database import open_database, sqlite_files
    from storage.errors import StorageAway
    from storage.honesty import RowKeys

    url = config.storage.keystore_url
    if any(not path.exists() for path in sqlite_files(url)[:1]):
        return False
    rows = RowKeys(keyring.current(config.keys.keyring).rows)
    async with open_database("keystore", url) as database:
        try:
            await database_schema.require_usable({"keystore": database})
            await remember(database, rows, DatabaseClock(), checked)
        except (StorageAway, SchemaError):
            return False
    return True


def _tell(checked: Checked, remembered: bool) -> None:
    report, rows = checked.verification.report, checked.verification.rows
    made = f"{checked.manifest.id}, taken {checked.manifest.made_at:%Y-%m-%d %H:%M} UTC"
    if not checked.ok:
        for finding in report.findings[:20]:
            place = "" if finding.index is None else f" at index {finding.index}"
            result(f"FAILED: {finding.problem}{place}: {finding.text}")
        for row in rows[:20]:
            result(f"FAILED: {row}")
        raise fail(f"{made}: what it holds does not fit together")
    if not remembered:
        say("It is not written down: the key store of the configuration is not there.")
    result(f"ok: {made}; {counted(report.size, 'entry', 'entries')}, every row and key")
