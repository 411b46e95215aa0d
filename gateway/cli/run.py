"""`gateway serve`, `gateway worker`, `gateway demo`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.talk import configuration, fail, named, run

_ELSEWHERE: Final = (
    "Or have the demo at five ports of your choice, from 9000 on: `make run PORT=9000`,"
    " `gateway demo --port 9000`"
)


def serve(
    context: typer.Context,
    worker: Annotated[
        bool | None,
        typer.Option(
            "--worker/--no-worker",
            help="Deliver in this process too. Default: on SQLite yes, on PostgreSQL no.",
        ),
    ] = None,
) -> None:
    """Serve HTTP and run the duties; delivery inside by default on SQLite."""
    from gateway.process import processes

    config = configuration(context)
    on_sqlite = config.storage.url.startswith("sqlite:")
    run(processes.serve(config, with_worker=on_sqlite if worker is None else worker), logging.INFO)


def worker(
    context: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(help="Serve /healthz, /readyz and /metrics of this worker at HOST:PORT."),
    ] = None,
) -> None:
    """Deliver mail and run the duties; as many of these as you like, against PostgreSQL."""
    from gateway.config.fields import parse_listen
    from gateway.process import processes

    config = configuration(context)
    try:
        place = None if listen is None else parse_listen(listen)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--listen") from None
    run(processes.work(config, listen=place), logging.INFO)


def demo(
    directory: Annotated[
        Path | None,
        typer.Option(
            help="Where the demo keeps everything; delete it to begin anew.",
            show_default="var/demo, with --port var/demo-PORT",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1024,
            max=65531,
            help="Listen at this port and the next four: gateway, landing page, inbox, its SMTP,"
            " metrics.",
        ),
    ] = None,
) -> None:
    """Try everything on this machine: a landing page, the gateway, an inbox. Nothing leaves it.

    It listens on 127.0.0.1 at 8080 (the gateway), 9180 (its metrics), 8090 (the landing
    page), 8025 and 2525 (the inbox), as its config.toml says.
    """
    from gateway.demo import demo as demonstration
    from gateway.errors import CannotListen, CannotListenAnywhere

    if directory is None:
        directory = Path("var/demo" if port is None else f"var/demo-{port}")
    with named(directory, "written", "give --directory a folder of yours"):
        try:
            demonstration.prepare(directory, port)
        except ValueError as error:
            raise fail(str(error)) from None
    try:
        run(demonstration.demonstrate(directory))
    except (CannotListen, CannotListenAnywhere) as error:
        raise fail(f"gateway: {error}\n{_ELSEWHERE}") from None
