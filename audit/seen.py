"""What somebody outside the stores saw published: a signed checkpoint, and which log it is of."""

from __future__ import annotations

from typing import NamedTuple

from audit import succession
from audit.checkpoints import Verifier
from audit.errors import NoteError


class Seen(NamedTuple):
    """Compares as logs follow each other: of a successor any size comes later."""

    generation: int
    size: int
    note: str


def read(note: str, verifier: Verifier) -> Seen | None:
    """Read a note; None for what our key did not sign. *verifier* is that of the first log."""
    generation = succession.generation_named(verifier.name, note.partition("\n")[0])
    if generation is None:
        return None
    try:
        return Seen(generation, verifier.of(generation).checkpoint(note).size, note)
    except NoteError:
        return None
