"""Runs commands of one gateway that are killed: one process is begun, and forks for each."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


class Killed:
    """Runs commands that are killed at their n-th statement, or step on the disk."""

    def __init__(self, config: Path) -> None:
        self._config = str(config)
        command = [sys.executable, "-m", "tests.support.killed", "each"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, text=True, cwd=_ROOT, **pipes)  # type: ignore[call-overload]  # as text

    def __call__(self, how: str, *command: str) -> int:
        line = json.dumps([how, "--config", self._config, *command])
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        while not (said := self._process.stdout.readline()).startswith("ended "):
            assert said, "the process that is forked ended"
        status = int(said.split()[1])
        assert status in (0, -signal.SIGKILL), (how, status)
        return status

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
