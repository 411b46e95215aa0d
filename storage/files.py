"""One way to write a file durably: whole under its name, on the disk, and never over another one.

What a crash leaves is the whole file, or none under its name. Beside it may lie
a draft, `.NAME.` and sixteen hex digits: readers pass it by, and nothing needs it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def create(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put *content* at *path*; once this returned it survives the death of the machine.

    Raises `FileExistsError`, and changes nothing, when anything is there. After
    any other `OSError` the whole file may stand under its name, or none.
    """
    os.close(create_open(path, content, mode=mode))


def create_open(
    path: Path,
    content: bytes,
    *,
    prepare: Callable[[int], None] | None = None,
    mode: int = 0o600,
) -> int:
    """As `create`; returns the descriptor, open for reading and appending.

    *prepare* gets it before the file has its name: whoever locks it there holds
    the lock before anybody can find the file.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, mode)
    try:
        if prepare is not None:
            prepare(descriptor)
        _write(descriptor, content)
        os.fsync(descriptor)
        _rename(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return descriptor


def _rename(draft: Path, path: Path) -> None:
    os.link(draft, path)  # unlike rename, refuses to replace
    draft.unlink()
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
