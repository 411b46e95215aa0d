"""What a backup says of itself: only what a gateway with our keyring wrote counts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backups import manifest, reading
from gateway.backups.manifest import LogPlace, Manifest, Store, StoreFile
from gateway.errors import BackupError
from storage.honesty import RowKeys
from storage.keysets import KeySet
from storage.secret import Secret

KEYS = RowKeys(KeySet.of(Secret(b"k" * 32)))
FILE = StoreFile("data.rows.gz", "sqlite", "data_0002", 12, 345, "ab" * 32)
MADE = Manifest(
    id="backup-20260102T030405.678Z",
    made_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    stores={Store.DATA: FILE, Store.KEYSTORE: replace(FILE, file="keystore.rows.gz", rows=3)},
    log=LogPlace("acme.example/log", 7, "note\n"),
    guard_size=None,
    epochs={1: "retiring", 2: "active"},
    recipients=("age1xyz",),
)


def test_it_is_read_as_it_was_written() -> None:
    assert manifest.decode(manifest.encode(MADE, KEYS), KEYS) == MADE


@pytest.mark.parametrize(
    ("name", "value"),
    [("made_at", "2026-01-03T00:00:00+00:00"), ("guard_size", 3), ("epochs", {"2": "active"})],
)
def test_an_altered_one_is_refused(name: str, value: object) -> None:
    document = json.loads(manifest.encode(MADE, KEYS)) | {name: value}

    with pytest.raises(BackupError, match="altered, or belongs to another keyring"):
        manifest.decode(json.dumps(document).encode(), KEYS)


def test_another_keyring_and_a_later_release_are_told_apart() -> None:
    raw = manifest.encode(MADE, KEYS)
    later = json.loads(raw) | {"format": manifest.FORMAT + 1}

    with pytest.raises(BackupError, match="another keyring"):
        manifest.decode(raw, RowKeys(KeySet.of(Secret(b"x" * 32))))
    with pytest.raises(BackupError, match="later release"):
        manifest.decode(json.dumps(later).encode(), KEYS)


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.text(), st.integers()).map(json.dumps).map(str.encode)
)
def test_anything_else_raises_its_own_error_only(raw: bytes) -> None:
    with pytest.raises(BackupError):
        manifest.decode(raw, KEYS)


def test_so_does_what_is_deep_or_large(tmp_path: Path) -> None:
    """Whoever writes where backups lie must not end who looks there."""
    with pytest.raises(BackupError):
        manifest.decode(b"[" * 100_000, KEYS)
    with (tmp_path / manifest.NAME).open("wb") as file:
        file.truncate(1 << 36)  # takes no room on the disk
    with pytest.raises(BackupError):
        reading.read(tmp_path, KEYS)
