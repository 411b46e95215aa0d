"""A command that is killed at its n-th statement: `killed N --config FILE COMMAND ...`."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from gateway.cli import main


def kill_at(number: int) -> Callable[..., None]:
    sent = itertools.count(1)

    def before(*_: Any) -> None:
        if next(sent) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return before


if __name__ == "__main__":
    event.listen(Engine, "before_cursor_execute", kill_at(int(sys.argv.pop(1))))
    sys.exit(main())
