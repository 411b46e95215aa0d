"""`gateway db`."""

from __future__ import annotations

import typer

from gateway.cli.talk import configuration, run, say

app = typer.Typer(help="The databases.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The databases."""


@app.command()
def upgrade(context: typer.Context) -> None:
    """Bring the databases to this release; each changes whole or not at all."""
    from gateway.schema import database_schema

    changed = run(database_schema.upgrade(configuration(context)))
    for name, new in changed.items():
        say(f"{name}: {'upgraded' if new else 'is current'}")
