"""`gateway init`."""

from __future__ import annotations

import typer

from gateway.cli.talk import configuration, run, say


def init(context: typer.Context) -> None:
    """Make keyring, signing key, guard, DKIM keys and databases; never overwrites."""
    from gateway.process.initialise import initialise
    from storage.clock import DatabaseClock

    made = run(initialise(configuration(context), DatabaseClock()))
    for thing in made:
        say(f"made: {thing}")
    say("Ready. Back up the keyring now, apart from the databases." if made else "All there.")
