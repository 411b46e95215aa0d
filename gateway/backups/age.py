"""Encrypting to age recipients, and decrypting with age identities, bit by bit.

The library pulls from a file and pushes into one: a thread of its own does that at the
other end of a pipe, so that memory holds a piece and not the file.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pyrage

from gateway.errors import BackupError

SUFFIX = ".age"
Identity = Any  # pyrage has no types
_PIECE = 1 << 20


def check_recipient(recipient: str) -> None:
    """Raise `BackupError` for what is no age recipient."""
    try:
        pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        raise BackupError(f"{recipient} is no age recipient (age1…): {error}") from None


def identities(path: Path) -> list[Identity]:
    """The age identities in a file; `BackupError` where it has none."""
    try:
        found = [line.strip() for line in path.read_text("utf-8").splitlines()]
        keys = [
            pyrage.x25519.Identity.from_str(line)
            for line in found
            if line and not line.startswith("#")
        ]
    except (OSError, ValueError, pyrage.IdentityError):
        keys = []
    if not keys:
        raise BackupError(f"{path} has no age identity (AGE-SECRET-KEY-1…)")
    return keys


@contextmanager
def encrypted(file: BinaryIO, recipients: Sequence[str]) -> Iterator[BinaryIO]:
    """What is written into this comes out encrypted in *file*; as it is, without recipients."""
    if not recipients:
        yield file
        return
    keys = [pyrage.x25519.Recipient.from_str(one) for one in recipients]
    source, sink = _pipe()
    out = _Remembering(file)

    def encrypt() -> None:
        with source:  # closed early, whoever writes is told
            try:
                pyrage.encrypt_io(source, out, keys)
            except pyrage.EncryptError:
                # The library makes a text of why the file could not be written.
                raise out.failed or OSError(errno.EIO, "cannot be encrypted") from None

    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(encrypt)
        try:
            with sink:
                yield sink
        except BrokenPipeError:
            working.result()
            raise
        working.result()


@contextmanager
def decrypted(file: BinaryIO, path: Path, keys: Sequence[Identity]) -> Iterator[BinaryIO]:
    """What is read from this is *file*, which was opened at *path*, decrypted where it must be."""
    if path.suffix != SUFFIX:
        yield file
        return
    if not keys:
        raise BackupError(f"{path} is encrypted: give --identity a file with its age identity")
    source, sink = _pipe()

    def decrypt() -> None:
        with suppress(BrokenPipeError), sink:  # who reads may have had enough
            pyrage.decrypt_io(file, sink, keys)

    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(decrypt)
        try:
            with source:
                yield source
        finally:
            failed = working.exception()
            if isinstance(failed, pyrage.DecryptError):
                raise BackupError(f"no identity that was given opens {path}") from None


class _Remembering:
    """A file, and why it could not be written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failed: OSError | None = None

    def write(self, piece: bytes) -> int:
        try:
            return self._file.write(piece)
        except OSError as error:
            self.failed = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    source, sink = os.pipe()
    return os.fdopen(source, "rb", _PIECE), os.fdopen(sink, "wb", _PIECE)
