"""What one worker process did at the final dot, kept where a crash cannot undo it.

One file per process; whoever holds its lock owns it, and its name is the owner
in the leases. It is appended to, and now and then written anew with what is not
settled: what is under way bounds it, not what went before.
`docs/formats/journal.md` defines the bytes: ids and reply codes, nothing else.
"""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator
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
# Of new lines until it is written anew: some 2,700 messages share what that costs.
_CUT_AFTER: Final = 256 << 10
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

    def __init__(self, path: Path, descriptor: int, header: bytes, *, synced: bool) -> None:
        self.owner = path.name.removesuffix(_SUFFIX)
        self._path = path
        self._descriptor = descriptor
        self._header = header
        self._synced = synced
        self._length = len(header)
        self._cut_at = self._length + _CUT_AFTER
        self._unsettled: dict[Place, bytes] = {}  # the last line of each
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
        return cls(path, descriptor, header, synced=synced)

    def dot(self, message: str, attempt: int) -> None:
        """Say that the final dot is about to be written. No line, no dot: let the error stop it."""
        self._append((message, attempt), _line(_Kind.DOT, message, str(attempt)))

    def acc(self, message: str, attempt: int, code: int) -> None:
        """Keep the final reply; a failure undoes nothing that the server said."""
        self._append((message, attempt), _line(_Kind.ACC, message, str(attempt), str(code)))

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

    def settled(self, attempts: Iterable[Place]) -> None:
        """Forget attempts whose outcome the database has committed.

        After enough lines the file is written anew with what is left, and never
        holds more than that and those lines. Where it cannot be, it stays as it is.
        """
        for attempt in attempts:
            self._unsettled.pop(attempt, None)
        if self._length >= self._cut_at:
            self._cut()

    def _cut(self) -> None:
        """Put a file of what is not settled in the place of this one; a crash leaves either.

        One file, so that nobody who replays it can miss a part: what has no line
        in a whole journal is sent again.
        """
        content = self._header + b"".join(self._unsettled.values())
        try:
            descriptor = files.replace_open(self._path, content, prepare=_lock_now)
        except OSError:
            self._cut_at = self._length + _CUT_AFTER
            if os.fstat(self._descriptor).st_nlink == 0:
                # The new one has our name, and is not ours: a line in this one would be nobody's.
                self.close()
            return
        os.close(self._descriptor)
        self._descriptor, self._length, self._broken = descriptor, len(content), False
        self._cut_at = self._length + _CUT_AFTER

    def release(self) -> None:
        """Remove the file: everything in it is settled."""
        files.remove(self._path)
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

    def _append(self, attempt: Place, line: bytes) -> None:
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
        self._unsettled[attempt] = line

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
    complete: bool
    path: Path
    descriptor: int

    def marks(self) -> Iterator[tuple[Place, Mark]]:
        """What its lines say, in their order: of an attempt the last one counts.

        Read anew each time, line by line: those of older releases grew without end.
        """
        return (said for line in _lines(self.descriptor) if (said := _said(line)) is not None)

    def release(self) -> None:
        """Remove the file: its marks are committed in the database."""
        files.remove(self.path)


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
            complete = _is_complete(descriptor, boot or this_boot())
            yield Replay(path.name.removesuffix(_SUFFIX), complete, path, descriptor)
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


def _is_complete(descriptor: int, boot: str) -> bool:
    lines = _lines(descriptor)
    match _words(next(lines, b"")):
        case [_Kind.FORMAT, written_in, kept] if kept == _Kind.SYNCED or written_in == boot:
            # One that cannot be read may have announced a dot.
            return all(_said(line) is not None for line in lines)
        case _:
            return False


def _lines(descriptor: int) -> Iterator[bytes]:
    """The lines, without their ends; an empty one for what is too long to be one of ours.

    What follows the last line end was being written when the process died: what
    it announces did not happen.
    """
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        while line := file.readline(_LINE + 1):
            if line.endswith(b"\n"):
                yield line[:-1]
            elif len(line) > _LINE:
                yield b""


def _said(line: bytes) -> tuple[Place, Mark] | None:
    """What a line says of an attempt; None for any other line."""
    try:
        match _words(line):
            case [_Kind.DOT, message, attempt]:
                return (message, int(attempt)), Mark()
            case [_Kind.ACC, message, attempt, code]:
                return (message, int(attempt)), Mark(int(code))
            case _:
                return None
    except ValueError:
        return None  # its checksum fits, but we write no such numbers or letters


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
