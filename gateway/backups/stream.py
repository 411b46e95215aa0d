"""The file of a store: lines of JSON, compressed, and encrypted to whoever may read it.

First what the file is, then for each table its name and columns, and its rows, some
to a line; last their number (docs/formats/backup.md). Memory does not grow with it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from gateway.backups import age
from gateway.backups.age import Identity
from gateway.errors import BackupError
from storage import files

_PIECE = 1 << 16


class Measured:
    """What passes on its way into a file: how much, and its hash."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> int:
        self._hash.update(piece)
        self.size += len(piece)
        return self._file.write(piece)

    def flush(self) -> None:
        self._file.flush()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


@contextmanager
def written(
    path: Path, recipients: Sequence[str]
) -> Iterator[tuple[Callable[[Any], None], Measured]]:
    """Make the file at *path*: what writes a line, and what was written when the block ended."""
    with files.writing(path) as file:
        measured = Measured(file)
        with (
            age.encrypted(cast(BinaryIO, measured), recipients) as plain,
            # Without a moment in its head: the same rows make the same file.
            gzip.GzipFile("", "wb", compresslevel=1, fileobj=plain, mtime=0) as packed,
        ):
            yield lambda value: _write_line(packed, value), measured


class _Measuring:
    """What passes on its way out of a file: how much, and its hash."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0

    def read(self, most: int = -1) -> bytes:
        piece = self._file.read(most)
        self._hash.update(piece)
        self._size += len(piece)
        return piece

    def whole(self) -> tuple[int, str]:
        """Size and hash of the file, once everything that is wanted of it was read."""
        while self.read(_PIECE):
            pass
        return self._size, self._hash.hexdigest()


@contextmanager
def read(
    path: Path, identities: Sequence[Identity], wanted: tuple[int, str] | None = None
) -> Iterator[Iterator[Any]]:
    """The lines of the file at *path*; `BackupError` where they cannot be read to the end.

    Also where, at their end, what was read has not the size and hash that are *wanted*:
    whoever goes on to the end knows that these lines were those, whatever happened to
    the file since it was looked at.
    """
    with path.open("rb") as file:
        measured = _Measuring(file)
        with age.decrypted(cast(BinaryIO, measured), path, identities) as plain:
            yield _checked(_lines(plain, path), measured, wanted, path)


def _checked(
    lines: Iterator[Any], measured: _Measuring, wanted: tuple[int, str] | None, path: Path
) -> Iterator[Any]:
    yield from lines
    if wanted is not None and measured.whole() != wanted:
        raise BackupError(f"{path} was altered while it was read: its hash is another one")


def digest(path: Path) -> tuple[int, str]:
    """Size and hash of the file at *path*; `OSError` where there is none."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), sha256


def _write_line(file: gzip.GzipFile, value: Any) -> None:
    text = json.dumps(value, default=_told, separators=(",", ":"), ensure_ascii=False)
    file.write(text.encode() + b"\n")


def _told(value: object) -> object:
    """What JSON has no word for: bytes as a list of one text, moments as SQLite keeps them."""
    if isinstance(value, bytes):
        return [base64.b64encode(value).decode()]
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    raise TypeError


def value_of(told: Any) -> Any:
    """What `written` was given; moments stay text."""
    return base64.b64decode(told[0]) if type(told) is list else told


def _lines(plain: BinaryIO, path: Path) -> Iterator[Any]:
    try:
        with gzip.GzipFile(fileobj=plain) as unpacked:
            for line in unpacked:
                yield json.loads(line)
    except (OSError, EOFError, ValueError, RecursionError):
        raise BackupError(f"{path} cannot be read to its end") from None
