"""`gateway erasures`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.talk import configuration, fail, result, result_json, run, say

if TYPE_CHECKING:
    from consent.erasures import Erasure
    from gateway.config.config import Config, Suppress
    from gateway.flows.proving.certificate import Certificate

app = typer.Typer(help="Erasures that were asked for.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Erasures that were asked for."""


@app.command()
def show(
    context: typer.Context,
    erasure: Annotated[str, typer.Argument(metavar="ID", help="As `gateway erase` printed it.")],
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Show how far an erasure has come, and once it is done its certificate."""
    config = configuration(context)
    found = run(_look_up(config, erasure))
    if found is None:
        raise fail(f"there is no erasure {erasure}")
    if as_json:
        result_json(document(*found, config))
        return
    asked, shown = found
    say(f"received {asked.received_at.isoformat()} by {asked.channel}, state: {asked.state}")
    if shown is None:
        say(f"due by {asked.due_at.isoformat()}; there is no certificate yet")
        return
    for line in _lines(shown, config.rights.suppress_after_erasure):
        result(line)


def document(erasure: Erasure, shown: Certificate | None, config: Config) -> dict[str, Any]:
    """As `GET /v1/erasures/ID` answers."""
    from gateway.http.certificates import view

    return view(erasure, shown, config).model_dump(mode="json")


def _lines(shown: Certificate, suppress: Suppress) -> list[str]:
    from gateway.flows.proving import certificate
    from storage.ids import named

    done = f"Done {shown.done_at.isoformat()}, event {named('evt', shown.eid)} of the audit log."
    return [done, *certificate.in_words(shown, suppress)]


async def _look_up(config: Config, erasure: str) -> tuple[Erasure, Certificate | None] | None:
    from gateway.cli.stores import open_own_parts
    from gateway.flows.proving import certificate
    from gateway.flows.rights.telling import receivers_of

    async with open_own_parts(config) as parts:
        told, stores = receivers_of(parts.config), (parts.data, parts.keystore)
        return await certificate.look_up(*stores, parts.rows, parts.log, erasure, told)
