"""`gateway dkim`."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.talk import configuration, result, result_json

app = typer.Typer(help="DKIM keys and their DNS records.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """DKIM keys and their DNS records."""


@app.command()
def show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Print the DNS records to publish."""
    from gateway.keyfiles import dkim_keys

    records = dkim_keys.records(configuration(context))
    if as_json:
        result_json([record.as_dict() for record in records])
        return
    for record in records:
        result(f"; sender {record.sender}")
        result(f"{record.name}. IN {record.type} {_strings(record.value)}")


def _strings(value: str) -> str:
    """As a zone file writes it: strings of at most 255 bytes (RFC 1035, section 3.3)."""
    return " ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))
