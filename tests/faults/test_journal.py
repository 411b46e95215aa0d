"""The journal: what it proves after a crash, a full disk, a torn line, another boot."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import journal as module
from delivery.errors import JournalError
from delivery.journal import Journal, Mark, Replay, replayable, this_boot

OWNER = "wrk_0123456789abcdefghijklmnop"


def only(directory: Path, boot: str | None = None) -> Replay:
    (replay,) = replayable(directory, boot)
    return replay


def file_of(directory: Path) -> Path:
    return directory / f"{OWNER}.journal"


@contextmanager
def disk_full_at(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond *size*, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_marks_are_read_back(tmp_path: Path) -> None:
    with Journal.create(tmp_path, OWNER) as journal:
        journal.dot("msg_1", 1)
        journal.dot("msg_2", 3)
        journal.acc("msg_2", 3, 250)
        journal.dot("msg_3", 1)
        journal.acc("msg_3", 1, 554)

    replay = only(tmp_path)

    assert replay.owner == OWNER
    assert replay.complete
    assert replay.marks == {("msg_1", 1): Mark(), ("msg_2", 3): Mark(250), ("msg_3", 1): Mark(554)}
    assert [mark.accepted for mark in replay.marks.values()] == [False, True, False]
    assert [mark.refused for mark in replay.marks.values()] == [False, False, True]


def test_the_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    with Journal.create(tmp_path, OWNER, "boot-1") as journal:
        journal.dot("msg_1", 1)
        journal.acc("msg_1", 1, 250)

    assert file_of(tmp_path).read_bytes() == (
        b"consent-gateway-journal/1 boot-1 unsynced 7b5e3df9\n"
        b"DOT msg_1 1 8a37b85c\n"
        b"ACC msg_1 1 250 258be95a\n"
    )
    assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600


def test_trying_out_says_whether_a_line_would_fit_and_leaves_nothing(tmp_path: Path) -> None:
    with Journal.create(tmp_path, OWNER) as journal:
        journal.dot("msg_1", 1)
        before = file_of(tmp_path).read_bytes()
        with disk_full_at(len(before) + 10), pytest.raises(JournalError):
            journal.try_out()
        assert file_of(tmp_path).read_bytes() == before

        journal.try_out()

        assert file_of(tmp_path).read_bytes() == before
        journal.acc("msg_1", 1, 250)
    assert only(tmp_path).marks == {("msg_1", 1): Mark(250)}


def test_a_living_journal_is_nobody_elses(tmp_path: Path) -> None:
    with Journal.create(tmp_path, OWNER):
        assert list(replayable(tmp_path)) == []


def test_a_replayed_journal_is_there_until_it_is_released(tmp_path: Path) -> None:
    Journal.create(tmp_path, OWNER).close()

    assert only(tmp_path).owner == OWNER
    for replay in replayable(tmp_path):
        assert list(replayable(tmp_path)) == []  # locked by us
        replay.release()

    assert list(tmp_path.iterdir()) == []


def test_a_journal_released_by_another_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Journal.create(tmp_path, OWNER).close()
    lock = module.fcntl.flock

    def released_meanwhile(descriptor: int, how: int) -> None:
        file_of(tmp_path).unlink()
        lock(descriptor, how)

    monkeypatch.setattr(module.fcntl, "flock", released_meanwhile)

    assert list(replayable(tmp_path)) == []


def test_a_worker_that_ends_well_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, OWNER)
    journal.dot("msg_1", 1)

    journal.release()
    journal.close()

    assert list(tmp_path.iterdir()) == []


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    with Journal.create(tmp_path, OWNER), pytest.raises(JournalError):
        Journal.create(tmp_path, OWNER)

    assert len(list(tmp_path.iterdir())) == 1


def test_another_boot_proves_nothing_unless_lines_were_synced(tmp_path: Path) -> None:
    Journal.create(tmp_path, "wrk_a", "boot-1").close()
    Journal.create(tmp_path, "wrk_b", "boot-1", synced=True).close()

    assert {r.owner: r.complete for r in replayable(tmp_path, "boot-1")} == {
        "wrk_a": True,
        "wrk_b": True,
    }
    assert {r.owner: r.complete for r in replayable(tmp_path, "boot-2")} == {
        "wrk_a": False,
        "wrk_b": True,
    }


def test_a_torn_last_line_did_not_happen(tmp_path: Path) -> None:
    with Journal.create(tmp_path, OWNER) as journal:
        journal.dot("msg_1", 1)
        length = file_of(tmp_path).stat().st_size
        journal.dot("msg_2", 1)
    whole = file_of(tmp_path).read_bytes()

    for cut in range(length, len(whole)):
        file_of(tmp_path).write_bytes(whole[:cut])
        replay = only(tmp_path)
        assert replay.marks == {("msg_1", 1): Mark()}
        assert replay.complete


def test_an_altered_line_makes_the_journal_incomplete(tmp_path: Path) -> None:
    with Journal.create(tmp_path, OWNER) as journal:
        journal.dot("msg_1", 1)
        journal.dot("msg_2", 1)
    whole = file_of(tmp_path).read_bytes()

    for place in range(len(whole) - 1):
        file_of(tmp_path).write_bytes(
            whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        )
        assert not only(tmp_path).complete


@given(raw=st.binary(max_size=200))
def test_noise_is_a_journal_that_proves_nothing(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    directory = tmp_path_factory.mktemp("noise")
    file_of(directory).write_bytes(raw)

    replay = only(directory)

    assert replay.marks == {}
    assert not replay.complete


def test_a_full_disk_stops_the_dot_and_leaves_no_half_line(tmp_path: Path) -> None:
    with Journal.create(tmp_path, OWNER) as journal:
        journal.dot("msg_1", 1)
        length = file_of(tmp_path).stat().st_size

        with disk_full_at(length + 5):
            with pytest.raises(JournalError):
                journal.dot("msg_2", 1)
            with pytest.raises(JournalError):
                journal.acc("msg_1", 1, 250)
            assert file_of(tmp_path).stat().st_size == length

        journal.dot("msg_3", 1)

    replay = only(tmp_path)
    assert replay.marks == {("msg_1", 1): Mark(), ("msg_3", 1): Mark()}
    assert replay.complete


def test_a_half_line_that_cannot_be_taken_back_is_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int, length: int) -> None:
        raise OSError

    with Journal.create(tmp_path, OWNER) as journal:
        length = file_of(tmp_path).stat().st_size
        monkeypatch.setattr(os, "ftruncate", fail)
        with disk_full_at(length + 5), pytest.raises(JournalError):
            journal.dot("msg_1", 1)

        with pytest.raises(JournalError):
            journal.dot("msg_2", 1)

    assert only(tmp_path).marks == {}


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(JournalError):
        Journal.create(tmp_path / "file", OWNER)


def test_it_shrinks_when_everything_is_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COMPACT_FROM", 100)
    with Journal.create(tmp_path, OWNER) as journal:
        header = file_of(tmp_path).stat().st_size
        for number in range(9):
            journal.dot(f"msg_{number}", 1)
        for number in range(8):
            journal.settled(f"msg_{number}", 1)
        assert "msg_8" in file_of(tmp_path).read_text()

        journal.settled("msg_8", 1)
        assert file_of(tmp_path).stat().st_size == header
        journal.dot("msg_10", 2)

    assert only(tmp_path).marks == {("msg_10", 2): Mark()}


_WORKER = """
import os, signal, sys
from pathlib import Path
from delivery.journal import Journal
journal = Journal.create(Path(sys.argv[1]), sys.argv[2])
journal.dot("msg_1", 1)
journal.acc("msg_1", 1, 250)
journal.dot("msg_2", 1)
if sys.argv[3] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_every_line(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _WORKER, str(tmp_path), OWNER, "kill"])

    assert ended.returncode == -signal.SIGKILL
    replay = only(tmp_path)
    assert replay.complete
    assert replay.marks == {("msg_1", 1): Mark(250), ("msg_2", 1): Mark()}


def test_a_living_process_keeps_its_journal_and_a_dead_one_does_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WORKER, str(tmp_path), OWNER, "live"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert list(replayable(tmp_path)) == []
        process.kill()

    assert only(tmp_path).owner == OWNER


def test_this_boot_has_one_name() -> None:
    assert this_boot() == this_boot()
    assert " " not in this_boot()
