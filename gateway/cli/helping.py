"""What `--help` shows: whole sentences, as wide as the terminal."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Final

# An example stands as it was written, which click is told by this at its beginning.
_AS_IT_STANDS: Final = "\b\n"


def make_readable(program: Any) -> None:
    """Prepare every command of *program*, and what it takes, for its page."""
    found = [program]
    while found:
        one = found.pop()
        if one.help:
            one.help = _flowing(inspect.cleandoc(one.help))
            # Else the list of the commands has the first half of each sentence.
            one.short_help = one.help.partition("\n\n")[0]
        for taken in one.params:
            _name_kind(taken)
        found += getattr(one, "commands", {}).values()


def _flowing(text: str) -> str:
    """Paragraphs of one line each; what is indented is an example."""
    return "\n\n".join(
        f"{_AS_IT_STANDS}{one.strip()}" if one.startswith("    ") else " ".join(one.split("\n"))
        for one in text.split("\n\n")
    )


def _name_kind(taken: Any) -> None:
    """Say in a word what is written there, where nothing says it: else Python's types are shown."""
    kind = taken.type_descriptor
    if taken.param_type_name == "argument":
        taken.display_type_rich = _nothing  # its name says it
    elif taken.metavar is None and not (kind.is_choice or taken.is_flag):
        taken.metavar = _word(kind)


def _nothing(ctx: Any) -> None:
    """In the place of what shows the kind of a value."""


def _word(kind: Any) -> str:
    if kind.is_path or kind.annotation == list[Path]:
        return "PATH"
    return "NUMBER" if kind.annotation is int else "TEXT"
