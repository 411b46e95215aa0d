"""What a backup says of itself: in the clear, about nobody, and under a MAC of the keyring.

The MAC covers the hashes of its files, so that nobody who can write to the place
where backups lie can have another one, or parts of two, put back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import rfc8785

from gateway.errors import BackupError
from gateway.schema.database_schema import DATA, KEYSTORE, Schema
from storage.honesty import RowKeys

FORMAT = 1
NAME = "manifest.json"
_USE = "backup_manifest"


class Store(StrEnum):
    """What is backed up, each in a file of its own."""

    DATA = "data"
    KEYSTORE = "keystore"

    @property
    def schema(self) -> Schema:
        return DATA if self is Store.DATA else KEYSTORE


@dataclass(frozen=True, slots=True)
class StoreFile:
    """The rows of one store, all of one moment."""

    file: str
    kind: str  # of the database that they are from
    revision: str  # of its tables
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LogPlace:
    """How far the log had come in the data: entries, and the newest checkpoint beside them."""

    origin: str
    size: int
    note: str | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup."""

    id: str
    made_at: datetime
    stores: Mapping[Store, StoreFile]
    log: LogPlace
    guard_size: int | None  # None: it was away
    epochs: Mapping[int, str]  # of the key-encryption keys, and how far each was in use
    recipients: tuple[str, ...]  # none: it is not encrypted


def encode(manifest: Manifest, keys: RowKeys) -> bytes:
    """The file."""
    document = _document(manifest)
    signed = keys.sign(_USE, rfc8785.dumps(document))
    document |= {"kid": signed.kid, "mac": signed.mac.hex()}
    return json.dumps(document, indent=2).encode() + b"\n"


def decode(raw: bytes, keys: RowKeys) -> Manifest:
    """Read the file; raises `BackupError` for anything that no gateway with our keyring wrote."""
    try:
        document = json.loads(raw)
        if document["format"] > FORMAT:
            raise BackupError("it is of a later release: use that one")
        kid, mac = document.pop("kid"), bytes.fromhex(document.pop("mac"))
        fits = keys.fits(_USE, kid, mac, [rfc8785.dumps(document)])
        manifest = _manifest(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BackupError("its manifest is damaged") from None
    if not fits:
        raise BackupError("its manifest was altered, or belongs to another keyring")
    return manifest


def _document(one: Manifest) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "id": one.id,
        "made_at": one.made_at.isoformat(),
        "stores": {
            str(store): {name: getattr(file, name) for name in StoreFile.__slots__}
            for store, file in one.stores.items()
        },
        "log": {"origin": one.log.origin, "size": one.log.size, "note": one.log.note},
        "guard_size": one.guard_size,
        "epochs": {str(epoch): state for epoch, state in one.epochs.items()},
        "recipients": list(one.recipients),
    }


def _manifest(document: Mapping[str, Any]) -> Manifest:
    return Manifest(
        id=document["id"],
        made_at=datetime.fromisoformat(document["made_at"]),
        stores={Store(name): StoreFile(**file) for name, file in document["stores"].items()},
        log=LogPlace(**document["log"]),
        guard_size=document["guard_size"],
        epochs={int(epoch): state for epoch, state in document["epochs"].items()},
        recipients=tuple(document["recipients"]),
    )
