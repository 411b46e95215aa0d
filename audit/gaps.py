"""What a log lost that was closed, as its successor says it first of all. Pure.

`log.opened` of a successor tells of the log before it, `log.closed` of older ones that lost
something with it. Both carry the size up to which the entries are there, the root over those,
and the guard's note, which says up to where there had been some.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from audit.canonical import decode, encode
from audit.checkpoints import Checkpoint, Verifier, format
from audit.errors import NoteError
from audit.tree import HASH_SIZE

_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


class Cause(StrEnum):
    """Why a log was closed."""

    RESTORED = "restored"  # an older backup of the data
    GUARD_LOST = "guard_lost"  # the guard was restored, or is gone: nobody knows what came after
    DAMAGED = "damaged"  # an entry is not what a gateway wrote, or is missing


@dataclass(frozen=True, slots=True)
class Gap:
    """One log that was closed at *size*, whose guard stood at *guard* (None: there was none)."""

    generation: int
    size: int
    root: bytes
    guard: Checkpoint | None
    signature: str | None  # of the guard's note
    cause: Cause

    @property
    def end(self) -> int:
        """Up to where entries are known to have been."""
        return max(self.size, 0 if self.guard is None else self.guard.size)

    @property
    def refs(self) -> dict[str, str]:
        """As the entry carries it."""
        said = {
            "predecessor": str(self.generation),
            "size": str(self.size),
            "root": encode(self.root),
            "cause": self.cause,
        }
        if self.guard is None or self.signature is None:
            return said
        return said | {
            "guard": str(self.guard.size),
            "guard_root": encode(self.guard.root),
            "guard_signature": self.signature,
        }

    def says(self, name: str) -> str:
        """In words, for a report."""
        if self.guard is None or self.guard.size <= self.size:
            behind = "nobody knows what came after" if self.cause is Cause.GUARD_LOST else ""
            return f"{name} was closed at {self.size}" + (f"; {behind}" if behind else "")
        return f"accepted gap {self.size}..{self.guard.size} in {name}"


def gap(
    generation: int, size: int, root: bytes, note: str | None, held: Checkpoint | None, cause: Cause
) -> Gap:
    """What to tell of a log; *note* is its guard's, which says *held*."""
    signature = None if note is None else note.rstrip("\n").rsplit(" ", 1)[-1]
    return Gap(generation, size, root, held, signature, cause)


def read(refs: Mapping[str, str], verifier: Verifier) -> Gap:
    """Read the refs of a `log.opened` or `log.closed`, its guard's note checked.

    *verifier* is that of the first log. Raises `NoteError` for what says nothing of the kind.
    """
    try:
        generation, size = _number(refs["predecessor"]), _number(refs["size"])
        root, cause = decode(refs["root"]), Cause(refs["cause"])
    except (KeyError, ValueError):
        raise NoteError("does not say which log was closed, and where") from None
    if generation < 1 or len(root) != HASH_SIZE:
        raise NoteError("does not say which log was closed, and where")
    if "guard" not in refs:
        return Gap(generation, size, root, None, None, cause)
    own = verifier.of(generation)
    try:
        held = Checkpoint(own.name, _number(refs["guard"]), decode(refs["guard_root"]))
        signature = refs["guard_signature"]
    except (KeyError, ValueError):
        raise NoteError("does not say where the guard stood") from None
    own.checkpoint(f"{format(held)}\n— {own.name} {signature}\n")
    return Gap(generation, size, root, held, signature, cause)


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("not a number")
    return int(text)
