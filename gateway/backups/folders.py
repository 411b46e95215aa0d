"""Where backups lie: one folder with a folder for each, named by when it was taken.

A backup has its name once it is whole; until then it is a draft, which the next
run removes. Who writes there holds a lock.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from gateway.backups.manifest import NAME
from gateway.errors import BackupError
from storage import files

_BACKUP = re.compile(r"backup-[0-9]{8}T[0-9]{6}\.[0-9]{3}Z")
_PASSING = (".backup-*", ".scratch-*")
_LOCK = ".lock"


def name(made_at: datetime) -> str:
    return f"backup-{made_at:%Y%m%dT%H%M%S}.{made_at.microsecond // 1000:03}Z"


def newest(place: Path) -> Path:
    """The backup at *place*, or the newest in it; `BackupError` where there is none."""
    if place.name.startswith("."):
        raise BackupError(f"{place} was not finished: take another one")
    if (place / NAME).is_file():
        return place
    with suppress(OSError):
        if found := [one for one in place.iterdir() if _BACKUP.fullmatch(one.name)]:
            return max(found, key=lambda one: one.name)
    raise BackupError(f"there is no backup at {place}; `gateway backup DIR` makes one")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one who writes in *folder*; what a killed run left in it goes first."""
    try:
        files.make_folder(folder)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BackupError(unwritten(folder, error)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for passing in _PASSING:
            for left in folder.glob(passing):
                shutil.rmtree(left)
        yield
    except BlockingIOError:
        raise BackupError(f"another backup is being taken or verified in {folder}") from None
    finally:
        os.close(descriptor)


@contextmanager
def draft(folder: Path, called: str) -> Iterator[Path]:
    """A folder that gets its name when the block ends well, and else goes."""
    passing = folder / f".{called}.part"
    passing.mkdir(mode=0o700)
    try:
        yield passing
        files.put_folder(passing, folder / called)
    except BaseException:
        shutil.rmtree(passing, ignore_errors=True)
        raise


@contextmanager
def passing(prefix: str) -> Iterator[Path]:
    """A folder among the machine's temporary ones; those that killed runs left there go first.

    A run holds its own for as long as it lasts, so one that nobody holds is nobody's.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError), _held(left):
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=prefix) as made, _held(Path(made)):
        yield Path(made)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder of ours; `OSError` where another run does, or it is somebody else's."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder for as long as the block; only its owner sees what is in it."""
    with tempfile.TemporaryDirectory(prefix=".scratch-", dir=folder) as made:
        yield Path(made)


def unwritten(folder: Path, error: OSError) -> str:
    """Which folder, why, and what to do."""
    return f"{folder} cannot be written: {error.strerror}; name a folder of yours, with room"
