"""What one worker process did at the final dot, kept where a crash cannot undo it.

One append-only file per process; whoever holds its lock owns it, and its name
is the owner in the leases. `docs/formats/journal.md` defines the bytes: ids and
reply codes, nothing else.
"""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from delivery.errors import JournalError
from storage import files

_SUFFIX: Final = ".journal"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_COMPACT_FROM: Final = 1 << 20
_LINE: Final = 128  # more than any line takes


class _Kind(StrEnum):
    """The words of the format."""

    FORMAT = "consent-gateway-journal/1"
    SYNCED = "synced"
    UNSYNCED = "unsynced"
    DOT = "DOT"
    ACC = "ACC"


Place = tuple[str, int]  # message id and attempt


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one attempt came: past the dot, and with *code* once the final reply was read."""

    code: int | None = None

    @property
    def accepted(self) -> bool:
        return self.code is not None and 200 <= self.code < 300

    @property
    def refused(self) -> bool:
        """The server said no, so no copy is with it."""
        return self.code is not None and 400 <= self.code < 600


@cache
def this_boot() -> str:
    """The name of this run of the machine; where there is none, no run equals another."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return str(uuid.uuid4())


class Journal:
    """The journal of this process.

    Every method is synchronous and done when it returns, so that nothing else
    in the process comes between the line and the bytes that it announces. A
    written line survives the death of the process; with *synced* also that of
    the machine.
    """

    def __init__(self, path: Path, descriptor: int, *, synced: bool) -> None:
        self.owner = path.name.removesuffix(_SUFFIX)
        self._path = path
        self._descriptor = descriptor
        self._synced = synced
        self._header_length = self._length = os.fstat(descriptor).st_size
        self._unsettled: set[Place] = set()
        self._broken = False

    @classmethod
    def create(
        cls, directory: Path, owner: str, boot: str | None = None, *, synced: bool = False
    ) -> Journal:
        """Start the journal of *owner*, locked; it has its name only once it is complete."""
        path = directory / f"{owner}{_SUFFIX}"
        kept = _Kind.SYNCED if synced else _Kind.UNSYNCED
        header = _line(_Kind.FORMAT, boot or this_boot(), kept)
        try:
            files.make_folder(directory)
            descriptor = files.create_open(path, header, prepare=_lock_now)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else type(error).__name__
            raise JournalError(f"the journal cannot be started: {why}") from error
        return cls(path, descriptor, synced=synced)

    def dot(self, message: str, attempt: int) -> None:
        """Say that the final dot is about to be written. No line, no dot: let the error stop it."""
        self._append(_line(_Kind.DOT, message, str(attempt)))
        self._unsettled.add((message, attempt))

    def acc(self, message: str, attempt: int, code: int) -> None:
        """Keep the final reply; a failure undoes nothing that the server said."""
        self._append(_line(_Kind.ACC, message, str(attempt), str(code)))

    def try_out(self) -> None:
        """Raise `JournalError` unless a line would fit now; leaves nothing behind.

        What it writes for that has no line end: a crash before it is taken back
        leaves what no reader counts.
        """
        self._cut_back()
        try:
            _write_whole(self._descriptor, b" " * _LINE)
        except OSError as error:
            raise JournalError("the journal cannot be written to") from error
        finally:
            self._cut_back()
        if self._broken:
            raise JournalError("the journal ends in half a line")

    def settled(self, message: str, attempt: int) -> None:
        """Forget an attempt whose outcome the database has committed.

        When none is left the file shrinks to its header, so it never grows
        beyond what one busy stretch writes.
        """
        self._unsettled.discard((message, attempt))
        if not self._unsettled and self._length > _COMPACT_FROM:
            os.ftruncate(self._descriptor, self._header_length)
            self._length = self._header_length

    def release(self) -> None:
        """Remove the file: everything in it is settled."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file and leave it for whoever replays it. Safe to repeat."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        if self._broken:
            raise JournalError("the journal ends in half a line")
        try:
            _write_whole(self._descriptor, line)
            if self._synced:
                os.fdatasync(self._descriptor)
        except OSError as error:
            self._cut_back()
            raise JournalError("the journal cannot be written to") from error
        self._length += len(line)

    def _cut_back(self) -> None:
        # A full disk takes half a line, and the next one must not continue it: where even this
        # fails no line is taken until it succeeds.
        try:
            os.ftruncate(self._descriptor, self._length)
        except OSError:
            self._broken = True
        else:
            self._broken = False


@dataclass(frozen=True, slots=True)
class Replay:
    """The journal of a process that is gone, locked for whoever reads it.

    Where *complete*, an attempt without a mark did not reach its dot. Otherwise
    a missing mark proves nothing: the machine may have lost the last lines.
    """

    owner: str
    marks: Mapping[Place, Mark]
    complete: bool
    path: Path
    descriptor: int

    def release(self) -> None:
        """Remove the file: its marks are committed in the database."""
        self.path.unlink(missing_ok=True)


def replayable(directory: Path, boot: str | None = None) -> Iterator[Replay]:
    """Every journal in *directory* whose process is gone, one at a time, locked while it is yours.

    One that is not released is found again next time. Safe beside other
    processes that do the same.
    """
    for path in sorted(directory.glob(f"*{_SUFFIX}")):
        descriptor = _lock(path)
        if descriptor is None:
            continue
        try:
            yield _read(path, descriptor, boot or this_boot())
        finally:
            os.close(descriptor)


def _lock(path: Path) -> int | None:
    """Open and lock *path*; None when its process lives or another one has settled it."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        _lock_now(descriptor)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink == 0:  # released between our open and our lock
        os.close(descriptor)
        return None
    return descriptor


def _lock_now(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read(path: Path, descriptor: int, boot: str) -> Replay:
    # What follows the last line end was being written when the process died: what it
    # announces did not happen.
    first, *lines = path.read_bytes().split(b"\n")[:-1] or [b""]
    match _words(first):
        case [_Kind.FORMAT, written_in, kept]:
            complete = kept == _Kind.SYNCED or written_in == boot
        case _:
            complete = False
    marks: dict[Place, Mark] = {}
    for line in lines:
        match _words(line):
            case [_Kind.DOT, message, attempt]:
                marks[message, int(attempt)] = Mark()
            case [_Kind.ACC, message, attempt, code]:
                marks[message, int(attempt)] = Mark(int(code))
            case _:
                complete = False  # it may have announced a dot
    return Replay(path.name.removesuffix(_SUFFIX), marks, complete, path, descriptor)


def _line(*words: str) -> bytes:
    text = " ".join(words).encode("ascii")
    return b"%s %08x\n" % (text, zlib.crc32(text))


def _words(line: bytes) -> list[str]:
    """The words of a line without its end; none when the checksum does not fit."""
    text, _, checksum = line.rpartition(b" ")
    return text.decode("ascii").split(" ") if checksum == b"%08x" % zlib.crc32(text) else []


def _write_whole(descriptor: int, line: bytes) -> None:
    if os.write(descriptor, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
