"""`gateway keys`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import rotating, set_rotating
from gateway.cli.talk import configuration, result, result_json, run, say, table

if TYPE_CHECKING:
    from consent.keys.phases import Backup, Declared
    from gateway.config.config import Config
    from gateway.watch.overview import KeyEpoch

KEK = "kek"

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
    other kinds the active key makes new rows; retiring ones still count, for what is said beside.
    """
    config = configuration(context)
    found, sets = run(_epochs(config)), run(set_rotating.show(config))
    if as_json:
        epochs = [row(epoch) for epoch in found]
        result_json({"epochs": epochs, "keys": set_rotating.document(sets)})
        return
    heading = ("EPOCH", "STATE", "SINCE", "DATA KEYS", "")
    table([heading, *(_cells(epoch) for epoch in found)])
    say("")
    table([("KIND", "KEY", "STATE", ""), *set_rotating.rows(sets)])


@app.command()
def rotate(
    context: typer.Context,
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="Which kind of key, as `keys status` names it.")
    ] = "kek",
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
    """Let another key follow, or go on with what was begun: a key-encryption key, or KIND.

    A new key is announced, and active once every running process holds it; then what the old one
    wrapped or made is made anew, here or by the processes. The old one leaves the keyring once
    nothing needs it, nor a backup that was verified before that, and counts as destroyed once its
    copies were replaced.
    """
    from consent.keys.phases import Declared

    config = configuration(context)
    if keyring_out is not None:
        module = rotating if kind == KEK else set_rotating
        run(module.write_next(config, kind, keyring_out))
        say(f"{keyring_out} is written; put it in place of the secret, then run this without it")
        return
    declared = Declared(no_backups=no_backups_exist, copies_replaced=copies_replaced)
    done = _rotated(config, kind, declared)
    if no_backups_exist and done.backup is not None:
        taken = f"{done.backup.taken_at:%Y-%m-%d %H:%M} UTC"
        say(f"a backup taken {taken} was verified, so --no-backups-exist counts for nothing")
    done.tell(as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Rotated:
    """What a rotation did, to be told."""

    backup: Backup | None
    lines: Sequence[str]
    document: Mapping[str, Any]

    def tell(self, *, as_json: bool) -> None:
        if as_json:
            result_json(self.document)
            return
        for line in self.lines:
            result(line)


def _rotated(config: Config, kind: str, declared: Declared) -> _Rotated:
    if kind == KEK:
        begun, seen = run(rotating.rotate(config, declared))
        document = rotating.document(begun, seen)
        return _Rotated(seen.backup, rotating.lines(begun, seen), document)
    begun, shown = run(set_rotating.rotate(config, kind, declared))
    document = {"begun": begun, "keys": set_rotating.document(shown)[kind]}
    return _Rotated(shown.seen.backup, set_rotating.lines(begun, kind, shown), document)


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
