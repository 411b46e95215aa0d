"""A gateway that is killed at one point of a delivery: `failpoints POINT EVERY TOKENS COMMAND ...`.

At each EVERY-th mail of its life that comes there, as long as there is a file in the folder
TOKENS to take away.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from delivery.journal import Journal
from gateway.cli import main

BEFORE_DOT = "before_dot"
AFTER_250 = "after_250_before_journal"
AFTER_JOURNAL = "after_journal_before_commit"
_METHOD = {BEFORE_DOT: "dot", AFTER_250: "acc", AFTER_JOURNAL: "acc"}


def arm(point: str, every: int, tokens: Path) -> None:
    """Have this process killed there from now on."""
    reached = itertools.count(1)
    writes: Callable[..., None] = getattr(Journal, _METHOD[point])

    def write(*arguments: Any) -> None:
        if point == AFTER_JOURNAL:
            writes(*arguments)
        if next(reached) % every == 0:
            _kill(tokens)
        if point != AFTER_JOURNAL:
            writes(*arguments)

    setattr(Journal, _METHOD[point], write)


def _kill(tokens: Path) -> None:
    for one in tokens.iterdir():
        one.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    main(sys.argv[4:])
