"""The operator's own templates: what is sent of each, while somebody works on its files.

A template that is broken, or is being written, does not go out: its last sound version
does, for as long as this process lasts. What was accepted keeps the version that it was
accepted with.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from delivery import template_files
from delivery.errors import TemplateError
from delivery.template_language import Flaw
from delivery.template_source import Source, version_of, write

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_IN_WORDS: Final = "is no name of a template: lower-case letters, digits, - and _, at most 64"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one template stands: what lies there, and what of it is sent meanwhile."""

    name: str
    current: str | None  # the version that is sent; None: none
    flaws: tuple[Flaw, ...]
    settled: bool


class Shelf:
    """The templates under *directory*, each looked at anew whenever it is asked for.

    *reserved* are names of mails of the gateway's own, which no template can have.
    """

    def __init__(self, directory: Path, reserved: Collection[str] = ()) -> None:
        self.directory = directory
        self._reserved = reserved
        self._last: dict[str, Source] = {}

    def learn(self) -> None:
        """Look at all of them once, so that one which breaks later has a last sound version."""
        try:
            for name in template_files.names(self.directory):
                self.standing(name)
        except OSError:
            return  # told by whoever examines it

    def current(self, name: str) -> Source | None:
        """What is sent of a template from now on; None where there is no such one.

        Raises `TemplateError` where there is one, and nothing of it was ever sound.
        """
        if not NAME.fullmatch(name) or name in self._reserved:
            return None
        found = self._look(name)
        if found is None:
            self._last.pop(name, None)
            return None
        last = self._last.get(name)
        if last is not None:
            return last
        if found.flaws:
            flaw = found.flaws[0]
            raise TemplateError(name, flaw.place, flaw.problem)
        raise TemplateError(name, "-", "is being written; try again in some seconds")

    def standing(self, name: str) -> Standing | None:
        """How one stands; None where there is no such one. Raises `OSError`."""
        if not NAME.fullmatch(name) or name in self._reserved:
            what = _IN_WORDS if name not in self._reserved else "is the name of one of our mails"
            return Standing(name, None, (Flaw(".", None, what),), settled=True)
        found = self._taken(name, template_files.look(self.directory, name))
        if found is None:
            return None
        last = self._last.get(name)
        current = None if last is None else version_of(write(last))
        return Standing(name, current, found.flaws, found.settled)

    def standings(self) -> list[Standing]:
        """Every one that lies there. Raises `OSError` where the directory cannot be read."""
        found = map(self.standing, template_files.names(self.directory))
        return [one for one in found if one is not None]

    def _look(self, name: str) -> template_files.Look | None:
        try:
            return self._taken(name, template_files.look(self.directory, name))
        except OSError as error:
            # It is being replaced, or was never there: what was sound is sent on.
            why = os.strerror(error.errno) if error.errno else type(error).__name__
            problem = f"the directory of templates cannot be read: {why}"
            return template_files.Look(None, (Flaw(".", None, problem),))

    def _taken(self, name: str, found: template_files.Look | None) -> template_files.Look | None:
        if found is not None and found.source is not None and found.settled and not found.flaws:
            self._last[name] = found.source
        return found
