"""Postfix's `smtp-sink`, which takes every mail and counts: the same for all who send."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import bars
from benchmarks.gateway import pin

_LOOKS: Final = 0.005  # seconds between two looks at the counter
_UNCOUNTED: Final = 10  # one of so many: whoever sends has found its pace by then


@dataclass(frozen=True)
class Window:
    """What came within a window that begins after the first tenth of the mails."""

    mails: int
    seconds: float
    used: float  # by how much a sample grew meanwhile

    @property
    def rate(self) -> float:
        return self.mails / self.seconds

    @property
    def each(self) -> float:
        """Milliseconds of the sample for one mail."""
        return 1000 * self.used / self.mails


class Counting:
    """A sink that counts; whoever looks must do so often, or it waits for its pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._count = 0
        self._left = b""
        os.set_blocking(pipe, False)

    def count(self) -> int:
        """How many mails it has taken so far."""
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self._pipe, 1 << 16):
                whole, _, self._left = (self._left + said).rpartition(b"\r")
                self._count = bars.counted(whole) or self._count
        return self._count

    def reached(self, wanted: int, seconds: float) -> float:
        """The moment at which it has so many; TimeoutError after *seconds* without one more."""
        until, before = time.perf_counter() + seconds, self.count()
        while (count := self.count()) < wanted:
            now = time.perf_counter()
            if count > before:
                until, before = now + seconds, count
            if now > until:
                raise TimeoutError(f"{count:,} of {wanted:,} mails came")
            time.sleep(_LOOKS)
        return time.perf_counter()

    def rate(self, seconds: float) -> float:
        """How many came a second, within so many of them from now."""
        before, at = self.count(), time.perf_counter()
        while time.perf_counter() < at + seconds:
            time.sleep(_LOOKS)
            self.count()  # or it would wait for its pipe
        return (self.count() - before) / (time.perf_counter() - at)

    def watch(
        self, mails: int, seconds: float = 60, sample: Callable[[], float] = lambda: 0.0
    ) -> Window:
        """Wait for so many more, and say how fast all but the first tenth of them came."""
        begun = self.count()
        first = begun + mails // _UNCOUNTED
        at, used = self.reached(first, seconds), sample()
        last = self.reached(begun + mails, seconds)
        return Window(begun + mails - first, last - at, sample() - used)


@contextlib.contextmanager
def counting(port: int) -> Iterator[Counting]:
    """A sink that keeps nothing, on the core of sink and database."""
    with _sink(port, "-c") as process:
        assert process.stdout is not None
        yield Counting(process.stdout.fileno())


@contextlib.contextmanager
def keeping(port: int, folder: Path) -> Iterator[None]:
    """A sink that writes each mail to a file of its own in *folder*."""
    folder.mkdir()
    folder.chmod(0o777)  # it gives up being root
    with _sink(port, "-d", f"{folder}/%M."):
        yield


@contextlib.contextmanager
def _sink(port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        ["smtp-sink", *options, *user, f"127.0.0.1:{port}", "500"],
        stdout=subprocess.PIPE,
        preexec_fn=lambda: pin({1}),
    )
    try:
        await_port(port, process)
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def await_port(port: int, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Return when *process* listens; AssertionError where it ended instead."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{process.args!r} does not listen")
