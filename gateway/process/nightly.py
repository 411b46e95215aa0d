"""Every night the live log is verified, by a process of its own.

It is `python -m gateway.process.nightly`. It has the lowest priority and asks one thing at a
time of the stores, so that nobody waits for it. Its configuration comes through a pipe, which
stays open for as long as whoever started it lives; with that it ends. What it found stands in
the guard's store.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from audit import verified
from audit.log import Log
from gateway.config.config import Config
from gateway.flows.proving.remembering import Verifying, opened_at
from gateway.process.duties import Duty
from gateway.process.lifespan import open_parts
from gateway.watch import logs
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

log = structlog.get_logger()

_PROGRAM = (sys.executable, "-m", "gateway.process.nightly")


@dataclass
class Nightly:
    """Begins a verification when one is due; of several processes one does."""

    config: Config
    data: Database
    guard: Database
    clock: Clock
    keys: RowKeys
    of: Log
    running: subprocess.Popen[bytes] | None = field(default=None, init=False)

    async def run(self) -> int:
        """Look whether it is time, or whether the one that was begun has ended; 1 where one was."""
        if self.running is not None and self.running.poll() is None:
            return 0
        self._end()
        async with self.data.read() as connection:
            since = await opened_at(connection, self.of)
        if since is None:
            return 0
        async with self.guard.begin() as connection:
            now = await self.clock.now(connection)
            due = await verified.begin(connection, self.keys, self.of.first, since, now)
        if due:
            self.running = await asyncio.to_thread(self._begin)
        return int(due)

    def _begin(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(_PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # noqa: S603 our own
        assert child.stdin is not None  # noqa: S101 it is a pipe
        with contextlib.suppress(OSError):  # it has ended already, which the next look tells
            child.stdin.write(pickle.dumps(self.config))
            child.stdin.flush()
        return child

    def _end(self) -> None:
        if self.running is not None:
            self._close(self.running)
            if self.running.returncode:
                log.error("verification_ended", code=self.running.returncode)
        self.running = None

    def stop(self) -> None:
        """End the one that runs: it has changed nothing, and tomorrow there is another night."""
        if self.running is not None:
            self.running.kill()
            self.running.wait()
            self._close(self.running)
            self.running = None

    def _close(self, child: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(OSError):
            assert child.stdin is not None  # noqa: S101 it is a pipe
            child.stdin.close()


def nightly(tonight: Nightly) -> Duty:
    """Every process looks whether it is time."""
    return Duty("verification", timedelta(seconds=60), tonight.run)


async def _verify(config: Config) -> None:
    async with open_parts(config) as parts:
        found = await Verifying(parts).verify(newer=True)
    report = found.report
    if found.ok:
        log.info("verified", entries=report.size)
    else:
        log.error("verification_failed", findings=len(report.findings), rows=len(found.rows))


def _end_with_parent() -> None:
    os.read(0, 1)  # not through a buffer, whose lock the end of this process would wait for
    os._exit(0)


def main() -> None:
    with contextlib.suppress(OSError, AttributeError):
        os.nice(19)
    config = pickle.load(sys.stdin.buffer)  # noqa: S301 from the process that started us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logs.configure()
    try:
        asyncio.run(_verify(config))
    except Exception as error:  # noqa: BLE001 of which only kind and place may be written
        logs.failed("verification_failed", error)
        sys.exit(1)


if __name__ == "__main__":
    main()
