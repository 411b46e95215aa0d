"""The journal: what it proves after a crash, a full disk, a torn line, another boot."""

from __future__ import annotations

import fcntl
import os
import random  # noqa: TID251
import resource
import signal
import subprocess
import sys
import tracemalloc
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import journal as module
from delivery.errors import JournalError
from delivery.journal import Journal, Mark, replayable, this_boot
from storage import files

OWNER = "wrk_0123456789abcdefghijklmnop"


@dataclass
class Read:
    """What a replay tells, as long as the journal is locked."""

    owner: str
    complete: bool
    marks: dict[tuple[str, int], Mark]


def only(directory: Path, boot: str | None = None) -> Read:
    (read,) = [Read(r.owner, r.complete, dict(r.marks())) for r in replayable(directory, boot)]
    return read


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
    lock = fcntl.flock

    def released_meanwhile(descriptor: int, how: int) -> None:
        file_of(tmp_path).unlink()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", released_meanwhile)

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


@pytest.fixture
def soon_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that is written anew after two or three lines."""
    monkeypatch.setattr(module, "_CUT_AFTER", 100)


@pytest.mark.usefixtures("soon_cut")
def test_written_anew_it_holds_what_is_not_settled(tmp_path: Path) -> None:
    with Journal.create(tmp_path, OWNER) as journal:
        header = file_of(tmp_path).read_bytes()
        for number in range(9):
            journal.dot(f"msg_{number}", 1)
        journal.acc("msg_7", 1, 250)
        journal.settled((f"msg_{number}", 1) for number in range(7))
        assert file_of(tmp_path).read_bytes() == header + (
            b"ACC msg_7 1 250 %08x\n" % zlib.crc32(b"ACC msg_7 1 250")
            + b"DOT msg_8 1 %08x\n" % zlib.crc32(b"DOT msg_8 1")
        )
        assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600
        assert list(replayable(tmp_path)) == [], "its lock is ours still"

        journal.acc("msg_8", 1, 421)
        journal.dot("msg_10", 2)

    replay = only(tmp_path)
    assert replay.complete
    assert replay.marks == {
        ("msg_7", 1): Mark(250),
        ("msg_8", 1): Mark(421),
        ("msg_10", 2): Mark(),
    }


def test_while_something_is_always_under_way_it_stays_small_and_is_read_in_little_memory(
    tmp_path: Path,
) -> None:
    """30,000 messages: a first one that never ends, and forty at a time that do."""
    most, under_way = 0, deque(["msg_waits"])
    with Journal.create(tmp_path, OWNER) as journal:
        journal.dot("msg_waits", 1)
        for number in range(30_000):
            message = f"msg_{number:026}"
            journal.dot(message, 1)
            journal.acc(message, 1, 250)
            under_way.append(message)
            if len(under_way) > 40:
                over = [under_way[place] for place in range(1, 21)]
                for _ in range(20):
                    del under_way[1]
                most = max(most, sum(one.stat().st_size for one in tmp_path.iterdir()))
                journal.settled((one, 1) for one in over)
    assert most <= (256 << 10) + 96 * (2 * 40 + 2), "what was added, and what is under way"

    tracemalloc.start()
    try:
        read = only(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f"at most {most} bytes on the disk, {peak} in memory")
    assert read.complete
    assert {place for place, mark in read.marks.items() if not mark.accepted} == {("msg_waits", 1)}
    assert {(one, 1) for one in under_way} <= read.marks.keys()
    assert peak < 2 << 20


def test_one_of_a_release_that_never_cut_is_read_in_little_memory(tmp_path: Path) -> None:
    with Journal.create(tmp_path, OWNER) as journal:
        for number in range(30_000):
            message = f"msg_{number:026}"
            journal.dot(message, 1)
            journal.acc(message, 1, 250)
    assert file_of(tmp_path).stat().st_size > 2_800_000

    tracemalloc.start()
    try:
        for replay in replayable(tmp_path):
            assert replay.complete
            assert sum(mark.accepted for _, mark in replay.marks()) == 30_000
            replay.release()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("soon_cut")
@pytest.mark.parametrize("step", ["open", "write", "fsync"])
def test_what_cannot_be_written_anew_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with Journal.create(tmp_path, OWNER) as journal:
        for number in range(9):
            journal.dot(f"msg_{number}", 1)
        before = file_of(tmp_path).read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(os, step, refuse)
            journal.settled([("msg_0", 1)])
        assert file_of(tmp_path).read_bytes() == before

        for number in range(9, 19):
            journal.dot(f"msg_{number}", 1)
        journal.settled((f"msg_{number}", 1) for number in range(18))
        assert b"msg_0" not in file_of(tmp_path).read_bytes(), "tried again"

    assert only(tmp_path).marks == {("msg_18", 1): Mark()}
    assert len(list(tmp_path.iterdir())) == 1


def refuse(*_: object) -> None:
    raise OSError("no")


@pytest.mark.usefixtures("soon_cut")
def test_one_that_took_the_name_and_was_lost_takes_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would find the lines of the one without a name: what they announce must not be."""
    with Journal.create(tmp_path, OWNER) as journal:
        for number in range(9):
            journal.dot(f"msg_{number}", 1)
        with monkeypatch.context() as patched:
            patched.setattr(files, "_sync_directory", refuse)
            journal.settled([("msg_0", 1)])

        for take in (lambda: journal.dot("msg_9", 1), journal.try_out):
            with pytest.raises(JournalError):
                take()

        assert only(tmp_path).marks == {(f"msg_{number}", 1): Mark() for number in range(1, 9)}


_CUTTER = """
import os, signal, sys
from pathlib import Path
from delivery import journal as module
from storage import files
directory, owner, step, when = Path(sys.argv[1]), *sys.argv[2:5]
module._CUT_AFTER = 100
journal = module.Journal.create(directory, owner)
for number in range(9):
    journal.dot(f"msg_{number}", 1)
real = getattr(files if step.startswith("_") else os, step)
def die(*arguments, **more):
    if when == "after":
        real(*arguments, **more)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(files if step.startswith("_") else os, step, die)
journal.settled((f"msg_{number}", 1) for number in range(5))
journal.dot("msg_9", 1)
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["open", "_write", "fsync", "_put_over", "close"])
def test_a_crash_while_it_is_written_anew_loses_no_line(
    tmp_path: Path, step: str, when: str
) -> None:
    command = [sys.executable, "-c", _CUTTER, str(tmp_path), OWNER, step, when]
    assert subprocess.run(command).returncode == -signal.SIGKILL

    ours = {(f"msg_{number}", 1): Mark() for number in range(5, 9)}
    for replay in replayable(tmp_path):
        assert replay.complete
        assert ours.items() <= dict(replay.marks()).items()
        assert dict(replay.marks()).keys() <= {(f"msg_{number}", 1) for number in range(9)}
        replay.release()
    assert list(tmp_path.iterdir()) == [], "nor is a draft left"


_STEADY = """
import sys
from pathlib import Path
from delivery import journal as module
directory, owner, told = Path(sys.argv[1]), sys.argv[2], open(sys.argv[3], "ab", buffering=0)
module._CUT_AFTER = 500
journal = module.Journal.create(directory, owner)
under_way = []
for number in range(10_000_000):
    message = f"msg_{number}"
    journal.dot(message, 1)
    told.write(f"dot {number}\\n".encode())
    journal.acc(message, 1, 250)
    told.write(f"acc {number}\\n".encode())
    under_way.append(message)
    if len(under_way) == 10:
        told.write(f"settled {number - 5}\\n".encode())
        journal.settled((one, 1) for one in under_way[:5])
        del under_way[:5]
"""


def test_killed_at_any_moment_it_knows_every_dot_that_is_not_settled(tmp_path: Path) -> None:
    dice = random.Random(1)  # noqa: S311
    for kill in range(15):
        directory, told = tmp_path / f"{kill}", tmp_path / f"{kill}.told"
        told.touch()
        command = [sys.executable, "-c", _STEADY, str(directory), OWNER, str(told)]
        with subprocess.Popen(command) as process:
            wanted = dice.randint(1_000, 60_000)
            while told.stat().st_size < wanted:
                assert process.poll() is None
            process.kill()
        last = last_words(told.read_bytes())

        replay = only(directory)

        assert replay.complete
        for number in range(last["settled"] + 1, last["dot"] + 1):
            mark = replay.marks[f"msg_{number}", 1]
            assert mark.accepted or number > last["acc"]
        assert max(one.stat().st_size for one in directory.iterdir()) < 2_000


def last_words(told: bytes) -> dict[str, int]:
    """The highest number of each word; a line that was cut off is none."""
    last: dict[str, Any] = {"dot": -1, "acc": -1, "settled": -1}
    for line in told.split(b"\n")[:-1]:
        word, number = line.split()
        last[word.decode()] = int(number)
    return last


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
