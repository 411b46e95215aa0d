"""A file is written whole, on the disk and under a name of its own, or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from storage import files


def refuse(*_: object, **__: object) -> None:
    raise OSError("no")


def test_what_was_created_is_there_whole_and_the_owners_alone(tmp_path: Path) -> None:
    files.create(tmp_path / "key", b"content")

    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_file_that_exists_is_not_replaced(tmp_path: Path) -> None:
    files.create(tmp_path / "key", b"first")

    with pytest.raises(FileExistsError):
        files.create(tmp_path / "key", b"second")

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


@pytest.mark.parametrize("step", ["write", "fsync", "link"])
def test_a_failure_before_the_name_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(os, step, refuse)

    with pytest.raises(OSError, match="no"):
        files.create(tmp_path / "key", b"content")

    assert list(tmp_path.iterdir()) == []


def test_a_failure_after_the_name_leaves_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_sync_directory", refuse)

    with pytest.raises(OSError, match="no"):
        files.create(tmp_path / "key", b"content")

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"content"]


def test_content_and_directory_are_on_the_disk_around_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, list[str]]] = []
    fsync: Callable[[int], None] = os.fsync

    def watch(descriptor: int) -> None:
        directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        seen.append((directory, [path.name for path in tmp_path.iterdir()]))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    files.create(tmp_path / "key", b"content")

    (content, before), (directory, after) = seen
    assert not content and before[0].startswith(".key.")
    assert directory and after == ["key"]


def test_a_part_that_a_full_disk_took_is_followed_by_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda to, data: write(to, data[:3]))

    files.create(tmp_path / "key", b"content")

    assert (tmp_path / "key").read_bytes() == b"content"


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_failure_to_replace_leaves_the_file_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    files.create(tmp_path / "key", b"first")
    monkeypatch.setattr(os, step, refuse)

    with pytest.raises(OSError, match="no"):
        files.replace(tmp_path / "key", b"second")

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


def test_removed_with_it_is_what_a_crash_left_of_it_and_nothing_else(tmp_path: Path) -> None:
    for name in ("key", ".key.0123456789abcdef", "key.old", ".keys.0123456789abcdef"):
        files.create(tmp_path / name, b"content")

    files.remove(tmp_path / "key")
    files.remove(tmp_path / "key")

    assert {path.name for path in tmp_path.iterdir()} == {"key.old", ".keys.0123456789abcdef"}


def test_a_file_can_be_locked_before_it_has_its_name(tmp_path: Path) -> None:
    path, named = tmp_path / "key", []

    def lock(descriptor: int) -> None:
        named.append(path.exists())
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    held = files.create_open(path, b"content", prepare=lock)
    try:
        os.write(held, b", more")

        with path.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(held)
    assert named == [False]
    assert path.read_bytes() == b"content, more"


def test_a_file_that_is_written_anew_is_found_by_its_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    files.create(tmp_path / "kept" / "key", b"first")
    (tmp_path / "key").symlink_to(tmp_path / "kept" / "key")

    files.replace(tmp_path / "key", b"second")

    assert (tmp_path / "key").is_symlink()
    assert (tmp_path / "kept" / "key").read_bytes() == b"second"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_a_file_that_is_written_anew_stays_its_owners(tmp_path: Path) -> None:
    files.create(tmp_path / "key", b"first")
    os.chown(tmp_path / "key", 12345, 54321)

    files.replace(tmp_path / "key", b"second")

    found = (tmp_path / "key").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12345, 54321, 0o600)


@pytest.mark.parametrize(
    ("where", "step"), [(files, "_give"), (Path, "replace")], ids=["owner", "name"]
)
def test_a_file_that_cannot_be_written_anew_leaves_no_copy_of_its_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: object, step: str
) -> None:
    files.create(tmp_path / "key", b"first")
    monkeypatch.setattr(where, step, refuse)

    with pytest.raises(OSError, match="no"):
        files.replace(tmp_path / "key", b"second")

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]
