"""Files and folders: their owner's alone, whatever the umask, and written durably in one way.

A file is whole under its name, on the disk, and never over another one. What a
crash leaves is the whole file, or none under its name. Beside it may lie a
draft, `.NAME.` and sixteen hex digits: readers pass it by, and nothing needs it.
"""

from __future__ import annotations

import glob
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

Prepare = Callable[[int], None]

_OWNERS = 0o600
_OTHERS = 0o077
_OTHERS_WRITE = 0o022


def create(path: Path, content: bytes) -> None:
    """Put *content* at *path*; once this returned it survives the death of the machine.

    Raises `FileExistsError`, and changes nothing, when anything is there. After
    any other `OSError` the whole file may stand under its name, or none.
    """
    os.close(create_open(path, content))


def replace(path: Path, content: bytes) -> None:
    """Put *content* in the place of the file at *path*; a crash leaves the one or the other.

    It stays its owner's, whoever writes it, and where a link leads. After an
    `OSError` either of the two may stand there, and nothing lies beside it.
    """
    path = path.resolve()
    os.close(replace_open(path, content, prepare=partial(_give, like=path.stat())))


def create_open(path: Path, content: bytes, *, prepare: Prepare | None = None) -> int:
    """As `create`; returns the descriptor, open for reading and appending.

    *prepare* gets it before the file has its name: whoever locks it there holds
    the lock before anybody can find the file.
    """
    return _open_new(path, content, prepare, _name)


def replace_open(path: Path, content: bytes, *, prepare: Prepare | None = None) -> int:
    """As `replace`; returns the descriptor as `create_open` does.

    After an `OSError` either of the two may stand there, and the new one is nobody's.
    """
    return _open_new(path, content, prepare, _put_over)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A new file at *path*, written bit by bit; it is on the disk when the block ends well.

    Raises `FileExistsError` when anything is there. Whoever finds it may find a part of
    it: write into a folder that has another name until it is whole (`put_folder`).
    """
    with open(path, "xb", opener=opener) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def going_on(path: Path) -> Iterator[BinaryIO]:
    """The file at *path*, open at its beginning to be read and written on; made where none is.

    It is on the disk when the block ends well; what a crash leaves may end anywhere.
    """
    with open(path, "r+b", opener=_creating) as file:
        keep_private(path)
        yield file
        file.flush()
        os.fsync(file.fileno())


def give_name(draft: Path, path: Path) -> None:
    """Give a file that is on the disk its name, over what is there."""
    _put_over(draft, path)


def put_folder(draft: Path, path: Path) -> None:
    """Give a folder whose files are on the disk its name; a crash leaves it under the one or other.

    Raises `OSError` when a folder with anything in it is there.
    """
    _sync_directory(draft)
    draft.rename(path)
    _sync_directory(path.parent)


def remove(path: Path) -> None:
    """Delete the file at *path*, and drafts of it that a crash left; nobody may be writing it."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*"):
        draft.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _open_new(
    path: Path, content: bytes, prepare: Prepare | None, place: Callable[[Path, Path], None]
) -> int:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, _OWNERS)
    try:
        if prepare is not None:
            prepare(descriptor)
        _write(descriptor, content)
        os.fsync(descriptor)
        place(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return descriptor


def make_folder(path: Path) -> None:
    """Make *path*, and every folder above it that is missing."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def opener(path: str, flags: int) -> int:
    """For `open`: what it makes is private; a file that is there keeps its mode."""
    return os.open(path, flags, _OWNERS)


def _creating(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, _OWNERS)


def keep_private(path: Path) -> None:
    """Take a file that is there from everybody but its owner; what is not ours stays."""
    with suppress(OSError):
        mode = path.stat().st_mode
        # What is no file, such as /dev/null, is everybody's.
        if stat.S_ISREG(mode) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)


def write_private(path: Path, content: bytes) -> None:
    """Write where somebody said, for its owner alone, and over what is there.

    Not durably: whoever asked can ask again.
    """
    with open(path, "wb", opener=opener) as file:
        keep_private(path)
        file.write(content)


def loose(paths: Iterable[Path]) -> list[Path]:
    """Those files that others may read, and their folders that others may write to.

    Who may write to a folder can put another file in place.
    """
    if os.name != "posix":
        return []
    there = [one for one in paths if one.exists()]
    folders = sorted({one.parent for one in there})
    open_files = [one for one in there if one.stat().st_mode & _OTHERS]
    return open_files + [one for one in folders if one.stat().st_mode & _OTHERS_WRITE]


def _give(descriptor: int, like: os.stat_result) -> None:
    """To the owner of the old file: else what root wrote, only root could read."""
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(descriptor, like.st_uid, like.st_gid)


def _name(draft: Path, path: Path) -> None:
    os.link(draft, path)  # unlike rename, refuses to replace
    draft.unlink()
    _sync_directory(path.parent)


def _put_over(draft: Path, path: Path) -> None:
    draft.replace(path)
    _sync_directory(path.parent)


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:  # a disk that fills up takes a part, and refuses only the rest
        left = left[os.write(descriptor, left) :]


def _sync_directory(directory: Path) -> None:
    """Without it a crash may take the name, and with it the file."""
    with suppress(PermissionError):  # Windows cannot open one
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
