"""Files that hold keys: mode 0600, written whole and durably."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.config.fields import Variable
from gateway.errors import KeyFileError
from storage import files


def create(path: Path, content: bytes) -> None:
    """Put *content* at *path* at once and for good; raises KeyFileError when anything is there.

    A crash leaves the whole file or none.
    """
    files.make_folder(path.parent)
    try:
        files.create(path, content)
    except FileExistsError:
        raise KeyFileError(f"{path} exists; it is never overwritten") from None


def replace(path: Path, content: bytes) -> None:
    """Put *content* in the place of what is at *path*; a crash leaves the one or the other.

    Raises KeyFileError, and leaves what was there, when it cannot be written.
    """
    try:
        files.replace(path, content)
    except OSError as error:
        raise KeyFileError(f"cannot write {path} anew: {error.strerror}") from None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let no other process of this machine change *path* meanwhile; raises KeyFileError.

    The lock is that of its folder: the file itself is another one afterwards.
    """
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise KeyFileError(f"cannot open the folder of {path}: {error.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def read(place: Path | Variable) -> bytes:
    """The file or variable; raises KeyFileError when it is missing, or open to other users."""
    return _read_variable(place) if isinstance(place, Variable) else _read_file(place)


def mark(place: Path | Variable) -> tuple[int, ...]:
    """What changes with a file, also where another one took its name; a variable never does."""
    if isinstance(place, Variable):
        return ()
    seen = place.stat()
    return (seen.st_mtime_ns, seen.st_ino, seen.st_size)


def _read_variable(variable: Variable) -> bytes:
    try:
        return os.environ[variable.name].encode()
    except KeyError:
        raise KeyFileError(
            f"{variable} is not set", "it holds what `gateway init` writes"
        ) from None


def _read_file(path: Path) -> bytes:
    try:
        seen = path.stat()
        content = path.read_bytes()
    except FileNotFoundError:
        raise KeyFileError(
            f"there is no {path}", "restore its backup; for a new gateway `gateway init` makes it"
        ) from None
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}", "give it to us") from None
    # A mounted secret is somebody else's, who lets the group of this process read it.
    others = 0o077 if seen.st_uid == os.geteuid() else 0o037
    if os.name == "posix" and stat.S_IMODE(seen.st_mode) & others:
        raise KeyFileError(f"{path} is open to other users", "chmod 600 it")
    return content
