"""`gateway db`."""

from __future__ import annotations

import typer

from gateway.cli.talk import configuration, run, say
from gateway.watch.numbers import counted

app = typer.Typer(help="The databases.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The databases."""


@app.command()
def upgrade(context: typer.Context) -> None:
    """Bring the databases to this release; see "Upgrade" in docs/operations.md.

    From the first release: stop all its processes before, and copy the keyring to every other
    machine after. From a later one its processes may go on meanwhile, where the changelog does
    not say otherwise. Each database changes whole or not at all. Rows of the first release are
    signed page by page: a run that was ended goes on where it stopped.
    """
    from gateway.process import adoption
    from gateway.schema import database_schema
    from storage.clock import DatabaseClock

    config = configuration(context)
    changed = run(database_schema.upgrade(config))
    for name, new in changed.items():
        say(f"{name}: {'upgraded' if new else 'is current'}")
    counts = run(
        adoption.adopt(
            config, DatabaseClock(), lambda table, n: say(f"{table}: {counted(n, 'row')}")
        )
    )
    if counts == {}:
        say("rows were signed before; the keyring is of this release now")
    elif counts is not None:
        signed = counted(sum(counts.values()), "row")
        say(f"signed: {signed}; copy the keyring to every other machine")
