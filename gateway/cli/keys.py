"""`gateway keys`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import rotating
from gateway.cli.talk import configuration, result, result_json, run, say, table

if TYPE_CHECKING:
    from gateway.config.config import Config
    from gateway.watch.overview import KeyEpoch
    from storage.keysets import Key, KeySet

app = typer.Typer(help="The keys outside the databases.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The keys outside the databases."""


@app.command()
def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Show each key-encryption key, and the other keys of the keyring by their number.

    An epoch has a state, an age, and a number of data keys that it wraps. Of the
    other kinds the active key makes new rows; retiring ones still count.
    """
    config = configuration(context)
    found, sets = run(_epochs(config)), _sets(config)
    if as_json:
        kinds = {kind: [_key(key) for key in keys.keys] for kind, keys in sets.items()}
        result_json({"epochs": [row(epoch) for epoch in found], "keys": kinds})
        return
    heading = ("EPOCH", "STATE", "SINCE", "DATA KEYS", "")
    table([heading, *(_cells(epoch) for epoch in found)])
    say("")
    rows = ((kind, str(key.kid), key.state) for kind, keys in sets.items() for key in keys.keys)
    table([("KIND", "KEY", "STATE"), *rows])


@app.command()
def rotate(
    context: typer.Context,
    no_backups_exist: Annotated[
        bool,
        typer.Option(
            "--no-backups-exist",
            help="Declare that no backup of the key store was ever made. It counts for nothing"
            " where one was verified: take and verify another.",
        ),
    ] = False,
    copies_replaced: Annotated[
        bool,
        typer.Option(
            "--copies-replaced",
            help="Confirm that every copy of the keyring was replaced by today's.",
        ),
    ] = False,
    keyring_out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Begin nothing: write the keyring that is to follow, where ours is a secret that"
            " only you can replace.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Let another key-encryption key follow, or go on with what was begun.

    A new key is announced, and active once every running process holds it; then all keys are
    wrapped under it, here or by the processes. The old one leaves the keyring once a backup of
    the key store was verified after that, and counts as destroyed once its copies were replaced.
    """
    from consent.keys.phases import Declared

    if keyring_out is not None:
        run(rotating.write_next(configuration(context), keyring_out))
        say(f"{keyring_out} is written; put it in place of the secret, then run this without it")
        return
    declared = Declared(no_backups=no_backups_exist, copies_replaced=copies_replaced)
    begun, seen = run(rotating.rotate(configuration(context), declared))
    if no_backups_exist and seen.backup is not None:
        taken = f"{seen.backup.taken_at:%Y-%m-%d %H:%M} UTC"
        say(f"a backup taken {taken} was verified, so --no-backups-exist counts for nothing")
    if as_json:
        result_json(rotating.document(begun, seen))
        return
    for line in rotating.lines(begun, seen):
        result(line)


def _sets(config: Config) -> Mapping[str, KeySet]:
    from gateway.keyfiles import keyring

    return keyring.load(config.keys.keyring).sets


def _key(key: Key) -> dict[str, object]:
    return {"kid": key.kid, "state": key.state}


async def _epochs(config: Config) -> list[KeyEpoch]:
    from gateway.process.lifespan import open_parts
    from gateway.watch import overview

    async with open_parts(config) as parts:
        return await overview.epochs(
            parts.key_database,
            parts.rows,
            parts.clock.wall(),
            config.keys.rotate_every,
            parts.keyring.keks,
        )


def row(epoch: KeyEpoch) -> dict[str, object]:
    """An epoch for a machine."""
    return {
        "epoch": epoch.epoch,
        "state": epoch.state,
        "since": epoch.since.isoformat(),
        "data_keys": epoch.keys,
        "in_keyring": epoch.held,
        "waits_for": list(epoch.waits_for),
        "rotation_due": epoch.rotation_due,
        "recoverable_until": epoch.recoverable,
    }


def _cells(epoch: KeyEpoch) -> tuple[str, ...]:
    return (
        str(epoch.epoch),
        epoch.state,
        f"{epoch.since:%Y-%m-%d}",
        str(epoch.keys),
        remark(epoch),
    )


def remark(epoch: KeyEpoch) -> str:
    """What is wrong with an epoch or due for it, if anything."""
    if not epoch.held and epoch.keys:
        return "NOT IN THE KEYRING: its data keys cannot be opened"
    if epoch.waits_for:
        return f"waits for processes that lack it: {', '.join(epoch.waits_for)}"
    if epoch.recoverable is not None:
        return f"recoverable from copies until {epoch.recoverable}"
    return "older than keys.rotate_every: gateway keys rotate" if epoch.rotation_due else ""
