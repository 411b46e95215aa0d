"""A command that is killed at its n-th statement: `killed N --config FILE COMMAND ...`.

With `disk:N` at its n-th step on the disk: something opened to be written, renamed, removed.
With `before:WORDS` at its first statement that begins so.
`killed each` does so for each line of its input, which is a JSON list of arguments; it forks for
it, and says how each ended.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from gateway.cli import main

_STEPS = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "shutil.rmtree"}


def kill_at(number: int) -> Callable[..., None]:
    sent = itertools.count(1)

    def before(*_: Any) -> None:
        if next(sent) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return before


def kill_on_disk(number: int) -> Callable[[str, Any], None]:
    step = kill_at(number)

    def heard(name: str, arguments: Any) -> None:
        writes = name == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        # What Python compiles it keeps; that is no step of ours.
        if (writes and "pycache" not in str(arguments[0])) or name in _STEPS:
            step()

    return heard


def kill_before(words: str) -> Callable[..., None]:
    def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(words):
            os.kill(os.getpid(), signal.SIGKILL)

    return before


def run(how: str, arguments: Sequence[str]) -> None:
    if how.startswith("disk:"):
        sys.addaudithook(kill_on_disk(int(how.removeprefix("disk:"))))
    else:
        words = how.removeprefix("before:")
        hook = kill_at(int(how)) if words == how else kill_before(words)
        event.listen(Engine, "before_cursor_execute", hook)
    main(arguments)


def each() -> None:
    # Read once, for all that are forked.
    import gateway.backups.taking
    import gateway.cli.restore
    import gateway.flows.restoring.restoration
    import gateway.process.backup_check  # noqa: F401

    for line in sys.stdin:
        how, *arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            run(how, arguments)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"ended {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "each":
        each()
    else:
        run(sys.argv[1], sys.argv[2:])
