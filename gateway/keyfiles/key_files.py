"""Files that hold keys: mode 0600, written whole and durably, never replaced."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from gateway.errors import KeyFileError


def create(path: Path, content: bytes) -> None:
    """Put *content* at *path* at once and for good; raises KeyFileError when anything is there.

    A crash leaves the whole file or none.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike rename, refuses to replace
    except FileExistsError:
        raise KeyFileError(f"{path} exists; it is never overwritten") from None
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def read(path: Path) -> bytes:
    """The file; raises KeyFileError when it is missing, or open to other users."""
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except FileNotFoundError:
        raise KeyFileError(f"there is no {path}; `gateway init` makes it") from None
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(f"{path} is open to other users; chmod 600 it")
    return content


def _sync_directory(directory: Path) -> None:
    with suppress(PermissionError):  # Windows cannot open one
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
