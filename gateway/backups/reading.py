"""Reading a backup: which there is, whether it is whole, and what it says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from gateway.backups import folders, manifest, stream
from gateway.backups.manifest import Manifest, Store
from gateway.errors import BackupError
from storage.honesty import RowKeys

newest = folders.newest
_LARGEST = 1 << 20  # bytes of a manifest; one has a few hundred for each recipient


def read(backup: Path, keys: RowKeys) -> Manifest:
    """What the backup at *backup* says of itself.

    `BackupError` where it was not finished, was altered, or is of another keyring
    or a later release. Its files are not looked at: `check` does.
    """
    try:
        with (newest(backup) / manifest.NAME).open("rb") as file:
            raw = file.read(_LARGEST)
    except OSError as error:
        raise BackupError(f"{backup} cannot be read: {error.strerror}") from None
    try:
        return manifest.decode(raw, keys)
    except BackupError as error:
        raise BackupError(f"{backup}: {error}") from None


async def check(backup: Path, known: Manifest, stores: Iterable[Store]) -> None:
    """Raise `BackupError` unless the files of these *stores* are those of the manifest."""
    for store in stores:
        wanted = known.stores[store]
        path = backup / wanted.file
        try:
            found = await asyncio.to_thread(stream.digest, path)
        except OSError:
            raise BackupError(f"{path} is missing, or cannot be read") from None
        if found != (wanted.size, wanted.sha256):
            raise BackupError(f"{path} was altered or is damaged: its hash is another one")
