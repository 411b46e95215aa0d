"""The operator's own templates as they lie in a directory: read whole, or not at all.

What is written just now is not read: nothing of a template may have changed for two
seconds. So no half of a file and no half of a change ever becomes a version. All is
read through the folder that was opened, and no symbolic link in it is followed.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from delivery.template_language import Flaw, flaws
from delivery.template_source import PARTS, Source

SETTLED: Final = 2.0  # seconds; a writer that stops for so long has written what it meant to
LARGEST_FILE: Final = 256 * 1024
MOST: Final = 1000  # templates
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_BY_THE_WAY: Final = ("README",)  # what may lie in a folder and is no part of a mail


@dataclass(frozen=True, slots=True)
class Look:
    """A template as it lies there; with *flaws* nothing of it is sent."""

    source: Source | None
    flaws: tuple[Flaw, ...] = ()
    settled: bool = True  # nothing of it was written a moment ago


def names(directory: Path) -> list[str]:
    """The folders there, whatever they are called; raises `OSError`."""
    with _opened(str(directory), None) as base:
        found = [one.name for one in os.scandir(base) if not _is_aside(one.name) and _holds(one)]
    return sorted(found)[:MOST]


def look(directory: Path, name: str) -> Look | None:
    """One template; None where there is no such folder. Raises `OSError` without the directory."""
    with _opened(str(directory), None) as base:
        try:
            if stat.S_ISLNK(os.stat(name, dir_fd=base, follow_symlinks=False).st_mode):
                return Look(None, (Flaw(".", None, "is a symbolic link: put a folder there"),))
            with _opened(name, base) as folder:
                return _read(name, folder)
        except (FileNotFoundError, NotADirectoryError):
            return None


@contextmanager
def _opened(name: str, base: int | None) -> Iterator[int]:
    """An open folder: what is read through it is of one folder, whatever takes its name."""
    more = 0 if base is None else os.O_NOFOLLOW
    handle = os.open(name, _FOLDER | more, dir_fd=base)
    try:
        yield handle
    finally:
        os.close(handle)


def _is_aside(name: str) -> bool:
    return name.startswith(".") or name.endswith("~")


def _holds(one: os.DirEntry[str]) -> bool:
    return one.is_dir(follow_symlinks=False) or one.is_symlink()


def _read(name: str, folder: int) -> Look:
    held: dict[str, str] = {}
    found: list[Flaw] = []
    changed = 0
    for file in PARTS:
        try:
            raw, at = _bytes_of(file, folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            found.append(Flaw(file, None, _why(error)))
            continue
        changed = max(changed, at)
        try:
            held[file] = raw.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            found.append(Flaw(file, raw.count(b"\n", 0, error.start) + 1, "is not text in UTF-8"))
    found += _of_others(folder)
    # After all was read: what changed meanwhile did so just now.
    changed = max(changed, os.fstat(folder).st_ctime_ns)
    settled = not 0 <= time.time_ns() - changed < SETTLED * 1e9
    if "subject.txt" not in held and not found:
        found.append(Flaw("subject.txt", None, "is missing"))
    if found:
        return Look(None, tuple(found), settled)
    source = Source(name, held["subject.txt"], held.get("body.txt"), held.get("body.html"))
    return Look(source, flaws(source), settled)


def _bytes_of(file: str, folder: int) -> tuple[bytes, int]:
    """What a file holds, and when it, or what is known of it, changed last."""
    handle = os.open(file, _FILE, dir_fd=folder)
    with os.fdopen(handle, "rb") as opened:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("is no file")
        raw = opened.read(LARGEST_FILE + 1)
        if len(raw) > LARGEST_FILE:
            raise OSError(f"is larger than {LARGEST_FILE // 1024} KB")
        return raw, os.fstat(handle).st_ctime_ns


def _of_others(folder: int) -> Iterator[Flaw]:
    """Files that are no part of a mail: most likely one whose name was misspelt."""
    for other in sorted(os.listdir(folder)):
        if other not in PARTS and not _is_aside(other) and not other.startswith(_BY_THE_WAY):
            yield Flaw(other, None, f"is no part of a mail; those are {', '.join(PARTS)}")


def _why(error: OSError) -> str:
    if not error.errno:
        return str(error)
    if error.errno == 40:  # ELOOP, for O_NOFOLLOW
        return "is a symbolic link: put the file itself there"
    return f"cannot be read: {os.strerror(error.errno)}"
