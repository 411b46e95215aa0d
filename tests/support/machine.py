"""Run a command as on another machine: just started, in another time zone, of another name, busy.

    python3 -m tests.support.machine --young python3 dev.py test tests/promises

The clocks and the name are the kernel's own (Linux namespaces, by `unshare`), so that child
processes and PostgreSQL live in them too. Where the kernel lets nobody make one, as in most
containers, it says so and runs nothing. Needs no package; any Python 3.11 starts it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

YOUNG = 60  # seconds since the machine started
BARE = "box"  # a host name without a dot


def in_namespaces(command: Sequence[str], *, young: float | None, name: str | None) -> list[str]:
    """The command line that runs *command* under a clock that began *young* seconds ago."""
    options: list[str] = []
    if young is not None:
        # Both clocks: time.monotonic reads the one, a worker's deadlines the other.
        offset = f"{young - _uptime():.0f}"
        options += ["--time", "--monotonic", offset, "--boottime", offset]
    if name is not None:
        options += ["--uts"]
        command = ["sh", "-c", f'hostname {name} && exec "$@"', "sh", *command]
    if not options:
        return list(command)
    own = [] if os.geteuid() == 0 else ["--map-current-user", "--keep-caps"]
    return ["unshare", *own, *options, *command]


def _uptime() -> float:
    """Seconds since the machine really started, also where this process was told otherwise."""
    told = float(Path("/proc/uptime").read_text().split()[0])
    offsets = Path("/proc/self/timens_offsets").read_text().split()
    return told - float(offsets[offsets.index("boottime") + 1])


def is_allowed(*, young: float | None = None, name: str | None = None) -> bool:
    """Whether this kernel makes such namespaces for us."""
    try:
        tried = in_namespaces(["true"], young=young, name=name)
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0
    except OSError:
        return False  # no unshare, or no /proc


@contextlib.contextmanager
def busy(processors: int) -> Iterator[None]:
    """Keep so many processors busy, as a neighbour's build would."""
    spinning = [sys.executable, "-c", "while True: pass"]
    neighbours = [subprocess.Popen(spinning) for _ in range(processors)]
    try:
        yield
    finally:
        for one in neighbours:
            one.kill()
            one.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--young", action="store_true", help="the machine started a minute ago")
    parser.add_argument("--bare-name", action="store_true", help="its name has no dot")
    parser.add_argument("--busy", action="store_true", help="others use all its processors")
    parser.add_argument("--zone", help="its time zone, such as Pacific/Auckland")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    wanted = parser.parse_args()
    young = YOUNG if wanted.young else None
    name = BARE if wanted.bare_name else None
    if not is_allowed(young=young, name=name):
        sys.exit("machine: this kernel lets us have neither clock nor name of our own")
    zone = {"TZ": wanted.zone} if wanted.zone else {}
    with busy((os.cpu_count() or 1) if wanted.busy else 0):
        line = in_namespaces(wanted.command, young=young, name=name)
        return subprocess.run(line, env={**os.environ, **zone}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
