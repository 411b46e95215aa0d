"""What is wrong with the operator's own templates, for doctor and status."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from delivery.own_templates import Shelf, Standing
from gateway.config.config import Config
from gateway.look.resources import SERVICE
from gateway.watch.findings import Finding, fail, ok

_MAKE = "make it, with a folder for each template, or name another by [templates] directory"


def about(config: Config) -> Iterator[Finding]:
    """Nothing where the operator has no directory of their own."""
    directory = config.templates.directory
    if directory is None:
        return
    try:
        found = Shelf(directory, SERVICE).standings()
    except OSError as error:
        yield fail("templates", f"{directory} cannot be read: {_why(error)}", _MAKE)
        return
    for said in _flaws(directory, found):
        yield fail("templates", said, "mend it; `gateway template check NAME` looks again")
    sound = sum(not one.flaws for one in found)
    if sound or not found:
        yield ok("templates", f"{directory}: {sound} can be sent")


def flaws(shelf: Shelf | None) -> list[str]:
    """As doctor, a line each."""
    if shelf is None:
        return []
    try:
        return [*_flaws(shelf.directory, shelf.standings())]
    except OSError as error:
        return [f"{shelf.directory} cannot be read: {_why(error)}"]


def _flaws(directory: Path, found: list[Standing]) -> Iterator[str]:
    for one in found:
        for flaw in one.flaws:
            line = "" if flaw.line is None else f":{flaw.line}"
            yield f"{directory / one.name / flaw.file}{line}: {flaw.problem}"


def _why(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__
