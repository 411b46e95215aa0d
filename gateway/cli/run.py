"""`gateway serve`, `gateway worker`, `gateway demo`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.talk import configuration, fail, named, run

if TYPE_CHECKING:
    from gateway.config.config import Config
    from gateway.config.fields import Listen

_MOST_PROCESSES: Final = 256
_LAST_PORT: Final = 65535
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
    count: Annotated[
        int,
        typer.Option(
            "--processes",
            min=1,
            max=_MOST_PROCESSES,
            help="Be so many workers, and begin one that dies again. Needs PostgreSQL; about one"
            " for each core that is left. With --listen each answers at a port of its own, from"
            " PORT on.",
        ),
    ] = 1,
) -> None:
    """Deliver mail and run the duties; as many of these as you like, against PostgreSQL.

    SIGTERM and ctrl-c end all processes of one command in order: what is past the final dot of a
    mail is waited for.
    """
    from gateway.process import processes

    config, sibling = configuration(context), None
    places = _places(listen, count)
    if count > 1:
        from gateway.process import siblings
        from gateway.watch import logs

        _require_many(config)
        processes.require_startable(config)
        logs.configure(level=logging.INFO)
        sibling = siblings.fork(count)
    place = places[0 if sibling is None else sibling.number]
    run(processes.work(config, listen=place, sibling=sibling), logging.INFO)


def _places(listen: str | None, count: int) -> list[Listen | None]:
    """Where each of *count* workers answers: one port after the other."""
    from gateway.config.fields import Listen, parse_listen

    if listen is None:
        return [None] * count
    try:
        first = parse_listen(listen)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--listen") from None
    if first.port == 0:  # whichever is free, for each
        return [first] * count
    if first.port + count - 1 > _LAST_PORT:
        said = f"{count} processes need as many ports, and there are none beyond {_LAST_PORT}"
        raise typer.BadParameter(said, param_hint="--listen")
    return [Listen(first.host, first.port + number) for number in range(count)]


def _require_many(config: Config) -> None:
    if config.storage.url.startswith("sqlite:"):
        raise typer.BadParameter(
            "on SQLite ([storage] url) there is one process, which does everything: `gateway"
            " serve`. For more move the data to PostgreSQL (docs/operations.md)",
            param_hint="--processes",
        )


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
    try:
        planned = demonstration.planned(directory, port)
    except ValueError as error:
        raise fail(str(error)) from None
    try:
        run(demonstration.require_places(planned))
        with named(directory, "written", "give --directory a folder of yours"):
            file = demonstration.prepare(directory, port)
        run(demonstration.demonstrate(file))
    except (CannotListen, CannotListenAnywhere) as error:
        raise fail(f"gateway: {error}\n{_ELSEWHERE}") from None
