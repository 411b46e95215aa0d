"""`gateway drill`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import backup as backups
from gateway.cli.output import require_ending, require_writable
from gateway.cli.spoken import LOCALE, spoken
from gateway.cli.talk import configuration, fail, named, progress, result, run, say

if TYPE_CHECKING:
    from gateway.config.config import Config
    from gateway.process.backup_check import Progress
    from gateway.process.drill import Exercise


def drill(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="Where backups lie; default: one that is made for it."
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The page for the auditor.")
    ] = Path("drill.html"),
    locale: Annotated[str, typer.Option(help=LOCALE, callback=spoken)] = "en",
    identity: Annotated[
        Path | None, typer.Option(help="Of an encrypted one: a file with its age identity.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over the page of an earlier exercise.")
    ] = False,
) -> None:
    """Hold the yearly exercise: put a backup back beside the gateway, check it, write a page.

    An invented person is erased there, and must not come back with the data from
    before. Where people are served nothing changes; one event says that it was held.
    """
    from gateway.look.exercise_page import SAID

    require_ending(output, "html")
    config = configuration(context)
    if output.exists() and not force:
        raise fail(f"{output} is there already: give -o another name, or --force")
    require_writable(output)
    with progress("exercise", None) as move:
        held = run(_hold(config, folder, identity, lambda _, done: move(done)))
    _write(output, held, config.controller.name, locale)
    for shown, done in held.shown:
        say(f"{'yes' if done else 'NO '}  {SAID[shown]}")
    result(str(output))
    if not held.passed:
        raise fail("the exercise failed; the page says at what")


async def _hold(
    config: Config, folder: Path | None, identity: Path | None, move: Progress
) -> Exercise:
    from gateway.backups import folders
    from gateway.process.drill import hold

    with folders.passing("gateway-drill-") as made:
        place = folder
        if place is None:
            place, _ = await backups.take(config, made, [])
        held = await hold(place, config, identity, move)
    await _record(config, held)
    return held


async def _record(config: Config, held: Exercise) -> None:
    from audit.kinds import Kind
    from gateway.cli.stores import open_stores

    refs = {"backup": held.manifest.id, "passed": "yes" if held.passed else "no"}
    async with open_stores(config) as stores, stores.data.begin() as connection:
        now = await stores.clock.now(connection)
        await stores.record(connection, Kind.DRILL_HELD, now, refs)


def _write(output: Path, held: Exercise, controller: str, locale: str) -> None:
    from gateway.look import exercise_page
    from storage import files

    known = held.manifest
    facts = {
        "controller": controller,
        "held_at": held.held_at,
        "made_at": known.made_at,
        "backup": known.id,
        "rows": sum(one.rows for one in known.stores.values()),
        "entries": known.log.size,
        "note": known.log.note,
        "passed": held.passed,
    }
    page = exercise_page.render(facts, held.shown, locale)
    with (
        named(output, "written", "give -o a file in a folder that is there and yours, with room"),
        open(output, "w", encoding="utf-8", opener=files.opener) as file,
    ):
        file.write(page)
