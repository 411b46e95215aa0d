"""Where files are in memory: what a test writes is never on disk, and nobody waits for it."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

_PLACE = Path("/dev/shm")
_PROCESSES = Path("/proc")


def place(free: int) -> Path | None:
    """A directory in memory with so many bytes left; None where there is none, as on macOS."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_PLACE).free >= free:
            return _PLACE
    return None


def sweep(prefix: str) -> None:
    """Remove what killed runs left there: nothing else would ever empty the memory of it.

    That is what is named *prefix*, the id of a process that is gone, and a dash.
    """
    for left in _PLACE.glob(f"{prefix}*-*"):
        owner = left.name.removeprefix(prefix).partition("-")[0]
        if owner.isdigit() and not (_PROCESSES / owner).exists():
            shutil.rmtree(left, ignore_errors=True)
