"""`gateway dkim`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import dkim_rotating
from gateway.cli.talk import configuration, result, result_json, run

if TYPE_CHECKING:
    from gateway.keyfiles.dkim_keys import Record

app = typer.Typer(help="DKIM keys and their DNS records.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """DKIM keys and their DNS records."""


@app.command()
def show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Print the DNS records to publish: of keys that sign, signed lately or are to sign next."""
    from gateway.keyfiles import dkim_keys, dkim_rotation

    config = configuration(context)
    before = dkim_rotation.records_before(config, dkim_rotating.now())
    said = {record.name: f", signed before: until {until:%Y-%m-%d}" for record, until in before}
    coming = dkim_rotation.records_of_next(config)
    said |= {record.name: ", to sign next: then gateway dkim rotate" for record in coming}
    records = [*dkim_keys.records(config), *(record for record, _ in before), *coming]
    if as_json:
        result_json([record.as_dict() for record in records])
        return
    for record in records:
        _zone(record, said.get(record.name, ""))


@app.command()
def rotate(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Make each domain's next key; run again, let those sign whose record DNS shows.

    Leave the records of the keys before published: what they signed is on its way.
    """
    from gateway.cli.doctor import txt_records

    config = configuration(context)
    rotated = run(dkim_rotating.rotate(config, txt_records, dkim_rotating.now()))
    if as_json:
        result_json(rotated.as_dict())
        return
    for one in rotated.active:
        result(f"; {dkim_rotating.asked(one)}")
        result(f"; {one.record.selector} signs for {one.domain}")
    for one in rotated.waiting:
        result(f"; {dkim_rotating.asked(one)}")
        _zone(one.record, ": publish this, then run gateway dkim rotate again")
    for record in rotated.old:
        result(f"; {record.name} may be withdrawn: what it signed is old")


def _zone(record: Record, said: str) -> None:
    result(f"; sender {record.sender}{said}")
    result(f"{record.name}. IN {record.type} {_strings(record.value)}")


def _strings(value: str) -> str:
    """As a zone file writes it: strings of at most 255 bytes (RFC 1035, section 3.3)."""
    return " ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))
