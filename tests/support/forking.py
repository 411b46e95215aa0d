"""Gateways as processes of their own that need not read all their modules first.

Starting one from nothing costs two seconds of a processor, most of it imports, and
the tests start hundreds. A process that has imported everything and done nothing
else is forked for each: it is as real, has no thread or socket of another, and
dies as it is told to. What concerns the start itself starts from nothing.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any

_MODULES = ("gateway.cli", "gateway.process.app", "gateway.process.processes", "uvloop")
_AWAKE = 0.01  # seconds: how soon an end is noticed


class _Source:
    """The process that is forked, and what it tells of those that ended."""

    def __init__(self, directory: Path) -> None:
        ours, theirs = socket.socketpair()
        self._socket, self._lock = ours, threading.Lock()
        self._lines = b""
        self._ended: dict[int, int] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forking", str(theirs.fileno())],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def fork(self, order: Mapping[str, Any], files: Sequence[int]) -> int:
        with self._lock:
            line = json.dumps(order).encode() + b"\n"
            socket.send_fds(self._socket, [line], files)
            while "pid" not in (said := self._next(None) or {}):
                pass
            return int(said["pid"])

    def status(self, pid: int) -> int | None:
        """How a process ended; None while it runs."""
        with self._lock:
            while pid not in self._ended and self._next(0) is not None:
                pass
            return self._ended.get(pid)

    def close(self) -> None:
        """It ends once nobody gives orders; what it forked goes on."""
        self._socket.close()
        self._process.wait(60)

    def _next(self, timeout: float | None) -> dict[str, Any] | None:
        while b"\n" not in self._lines:
            ready, _, _ = select.select([self._socket], [], [], timeout)
            if not ready:
                return None
            read = self._socket.recv(4096)
            assert read, "the process that is forked ended"
            self._lines += read
        line, self._lines = self._lines.split(b"\n", 1)
        said: dict[str, Any] = json.loads(line)
        if "ended" in said:
            self._ended[said["ended"]] = said["status"]
        return said


@cache
def _source(directory: Path) -> _Source:
    source = _Source(directory)
    atexit.register(source.close)
    return source


@dataclass
class Forked:
    """As much of `subprocess.Popen` as tests ask of a gateway."""

    pid: int
    _of: _Source = field(repr=False)
    returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._of.status(self.pid)
        return self.returncode

    def wait(self, timeout: float) -> int:
        until = time.monotonic() + timeout
        while (ended := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(_AWAKE)
        return ended

    def send_signal(self, how: signal.Signals) -> None:
        if self.poll() is None:  # else its number may be another's by now
            os.kill(self.pid, how)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    arguments: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    *files: IO[bytes],
    module: str = "gateway",
) -> Forked:
    """`python -m MODULE` with these *arguments*; *files* are stdout, stderr, and perhaps stdin."""
    order = {"arguments": list(arguments), "environment": dict(environment), "module": module}
    source = _source(directory)
    return Forked(source.fork(order, [one.fileno() for one in files]), source)


def run(
    arguments: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    *,
    stdin: str | None = None,
    timeout: float = 120,
    module: str = "gateway",
) -> subprocess.CompletedProcess[str]:
    """The same, to its end."""
    with (
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        said.write((stdin or "").encode())
        said.seek(0)
        process = start(arguments, directory, environment, out, err, said, module=module)
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(list(arguments), status, _all_of(out), _all_of(err))


def _all_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


class _Orders:
    """What the process that is forked does: it forks, and tells who ended how."""

    def __init__(self, orders: socket.socket) -> None:
        self._socket = orders
        self._running: set[int] = set()

    def serve(self) -> dict[str, Any]:
        """Fork for each order; returns only in the children, with what to do."""
        while True:
            ready, _, _ = select.select([self._socket], [], [], _AWAKE if self._running else None)
            self._tell()
            if ready and (order := self._carry_out()) is not None:
                return order

    def _tell(self) -> None:
        for pid in [*self._running]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._running.discard(pid)
                self._say(ended=pid, status=os.waitstatus_to_exitcode(status))

    def _carry_out(self) -> dict[str, Any] | None:
        line, files, _, _ = socket.recv_fds(self._socket, 1 << 20, 3)
        if not line:
            os._exit(0)  # whoever gave orders is gone
        pid = os.fork()
        if pid == 0:
            self._socket.close()
            for number, file in zip((1, 2, 0), files, strict=False):
                os.dup2(file, number)
                os.close(file)
            order: dict[str, Any] = json.loads(line)
            return order
        for file in files:
            os.close(file)
        self._running.add(pid)
        self._say(pid=pid)
        return None

    def _say(self, **what: int) -> None:
        self._socket.sendall(json.dumps(what).encode() + b"\n")


def main() -> None:
    for module in _MODULES:
        importlib.import_module(module)
    importlib.import_module("gateway.http.pages").prepare()
    importlib.import_module("gateway.people.docs").prepare_scripts()
    gc.freeze()  # or a first collection in each child would copy every page
    order = _Orders(socket.socket(fileno=int(sys.argv[1]))).serve()
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = [order["module"], *order["arguments"]]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
