"""`gateway dkim`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.talk import configuration, result, result_json, run

if TYPE_CHECKING:
    from gateway.config.config import Config
    from gateway.keyfiles.dkim_keys import Record
    from gateway.keyfiles.dkim_rotation import Next, Resolver

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
    before = dkim_rotation.records_before(config, _now())
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
    """Make the next key of each sender domain; run again, let those sign whose record DNS shows.

    Leave the records of the keys before published: mails that they signed are on their way.
    """
    from gateway.cli.doctor import txt_records

    config = configuration(context)
    rotated = run(_rotate(config, txt_records, _now()))
    if as_json:
        result_json(rotated.as_dict())
        return
    for one in rotated.active:
        result(f"; {one.record.selector} signs for {one.domain}")
    for one in rotated.waiting:
        _zone(one.record, ": publish this, then run gateway dkim rotate again")
    for record in rotated.old:
        result(f"; {record.name} may be withdrawn: what it signed is old")


@dataclass(frozen=True)
class Rotated:
    """What became of the next keys, and which old ones went."""

    active: Sequence[Next]
    waiting: Sequence[Next]
    old: Sequence[Record]

    def as_dict(self) -> dict[str, object]:
        return {
            "active": [one.record.as_dict() for one in self.active],
            "waiting": [one.record.as_dict() for one in self.waiting],
            "may_be_withdrawn": [record.as_dict() for record in self.old],
        }


async def _rotate(config: Config, resolver: Resolver, now: datetime) -> Rotated:
    from audit.kinds import Kind
    from gateway.cli.stores import open_stores
    from gateway.keyfiles import dkim_rotation

    # One at a time in all domains: whoever asks again must not begin anew where DNS was quicker.
    if not dkim_rotation.records_of_next(config):
        dkim_rotation.begin(config, now)
    found = dkim_rotation.waiting(config, resolver)
    seen = [one for one in found if one.seen]
    async with open_stores(config) as stores:
        for one in seen:
            async with stores.data.begin() as connection:
                moment = await stores.clock.now(connection)
                refs = {"domain": one.domain, "kind": "dkim", "selector": one.record.selector}
                await stores.record(connection, Kind.KEY_ROTATED, moment, refs)
                dkim_rotation.activate(one)
    old = dkim_rotation.forget(config, now)
    return Rotated(seen, [one for one in found if not one.seen], old)


def _now() -> datetime:
    from storage.clock import DatabaseClock

    return DatabaseClock().wall()


def _zone(record: Record, said: str) -> None:
    result(f"; sender {record.sender}{said}")
    result(f"{record.name}. IN {record.type} {_strings(record.value)}")


def _strings(value: str) -> str:
    """As a zone file writes it: strings of at most 255 bytes (RFC 1035, section 3.3)."""
    return " ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))
