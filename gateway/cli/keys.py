"""`gateway keys`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.talk import configuration, result_json, run, table

if TYPE_CHECKING:
    from gateway.config.config import Config
    from gateway.watch.overview import KeyEpoch

app = typer.Typer(help="The key-encryption keys.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The key-encryption keys."""


@app.command()
def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Show each epoch: its state, its age, how many data keys it wraps."""
    found = run(_epochs(configuration(context)))
    if as_json:
        result_json([row(one) for one in found])
        return
    heading = ("EPOCH", "STATE", "SINCE", "DATA KEYS", "")
    table([heading, *(_cells(one) for one in found)])


async def _epochs(config: Config) -> list[KeyEpoch]:
    from gateway.process.lifespan import open_parts
    from gateway.watch import overview

    async with open_parts(config) as parts:
        return await overview.epochs(parts)


def row(one: KeyEpoch) -> dict[str, object]:
    """An epoch for a machine."""
    return {
        "epoch": one.epoch,
        "state": one.state,
        "since": one.since.isoformat(),
        "data_keys": one.keys,
        "in_keyring": one.held,
        "rotation_due": one.rotation_due,
    }


def _cells(one: KeyEpoch) -> tuple[str, ...]:
    return (str(one.epoch), one.state, f"{one.since:%Y-%m-%d}", str(one.keys), remark(one))


def remark(one: KeyEpoch) -> str:
    """What is wrong with an epoch or due for it, if anything."""
    if not one.held and one.keys:
        return "NOT IN THE KEYRING: its data keys cannot be opened"
    return "older than keys.rotate_every" if one.rotation_due else ""
