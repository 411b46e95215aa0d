"""`gateway init`."""

from __future__ import annotations

from pathlib import Path

import typer

from gateway.cli.talk import configuration, named, run, say


def init(context: typer.Context) -> None:
    """Make keyring, signing key, guard, DKIM keys and databases; never overwrites.

    In an empty folder it writes a configuration to change first, in which every key is
    explained; the next `gateway init` makes the rest beside it.
    """
    from gateway.process.initialise import initialise
    from storage.clock import DatabaseClock

    path: Path = context.obj
    if _is_to_be_written(path):
        _write_default(path)
        say(f"made: {path}")
        say(
            "It runs as it is, and delivers to a local inbox only. Change what is Acme's in it,"
            " then run `gateway init` again."
        )
        return
    made = run(initialise(configuration(context), DatabaseClock()))
    for thing in made:
        say(f"made: {thing}")
    if not made:
        say("All there.")
        return
    say(
        "Ready. Back up the keyring now, apart from the databases. Next: `gateway doctor` says what"
        " is left to do, `gateway serve` starts it."
    )


def _is_to_be_written(path: Path) -> bool:
    """Whether nothing is where a configuration should be: what is there may be somebody's."""
    folder = path.absolute().parent
    return folder.is_dir() and not any(folder.iterdir())


def _write_default(path: Path) -> None:
    from gateway.config.config import embedded_default
    from storage import files

    with (
        named(path, "written", "run it as the user whose folder it is"),
        open(path, "x", encoding="utf-8", opener=files.opener) as file,
    ):
        file.write(embedded_default())
