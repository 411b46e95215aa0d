"""A gateway that is killed at one point of a delivery: `failpoints POINT EVERY TOKENS COMMAND ...`.

At each EVERY-th mail of its life that comes there, as long as there is a file in the folder
TOKENS to take away. Between its claim and MAIL it is stopped instead, and may be let go on.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from delivery.desk import Composed, Parcel
from delivery.journal import Journal
from gateway.cli import main
from gateway.flows.sending.letters import Letter
from gateway.process.desk import Desk

BEFORE_MAIL = "between_claim_and_mail"
BEFORE_DOT = "before_dot"
AFTER_250 = "after_250_before_journal"
AFTER_JOURNAL = "after_journal_before_commit"
_METHOD = {BEFORE_DOT: "dot", AFTER_250: "acc", AFTER_JOURNAL: "acc"}


def arm(point: str, every: int, tokens: Path) -> None:
    """Have this process killed there from now on, or stopped."""
    reached = itertools.count(1)
    if point == BEFORE_MAIL:
        _stop_composing(reached, every, tokens)
        return
    writes: Callable[..., None] = getattr(Journal, _METHOD[point])

    def write(*arguments: Any) -> None:
        if point == AFTER_JOURNAL:
            writes(*arguments)
        if next(reached) % every == 0:
            _send(signal.SIGKILL, tokens)
        if point != AFTER_JOURNAL:
            writes(*arguments)

    setattr(Journal, _METHOD[point], write)


def _stop_composing(reached: Iterator[int], every: int, tokens: Path) -> None:
    """What is composed has its permit, and no byte of it was sent."""
    composes = Desk.compose

    async def compose(
        desk: Desk, parcel: Parcel[Letter], following: Iterable[Parcel[Letter]] = ()
    ) -> Composed | None:
        if next(reached) % every == 0:
            _send(signal.SIGSTOP, tokens)
        return await composes(desk, parcel, following)

    Desk.compose = compose  # type: ignore[method-assign]  # only in this process


def _send(how: signal.Signals, tokens: Path) -> None:
    for one in tokens.iterdir():
        one.unlink()
        os.kill(os.getpid(), how)
        return


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    main(sys.argv[4:])
