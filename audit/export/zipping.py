"""A zip that is read while it is written: in bounded memory, of any size, the same for the same."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import IO, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

_QUICK = 1  # entries are mostly digests, which no level makes smaller


class Listed(NamedTuple):
    """What a manifest says of a file."""

    size: int
    digest: str
    path: str


class Zipping:
    """Takes one file after another; whoever writes drains what has come out."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = ZipFile(self._sink, "w", ZIP_DEFLATED, compresslevel=_QUICK)
        self.listed: list[Listed] = []

    def begin(self, path: str) -> Writing:
        """Open a file, which ends before another begins."""
        # As large as it may become: what came out cannot be gone back to.
        return Writing(self._zip.open(path, "w", force_zip64=True), path, self.listed)

    def add(self, path: str, parts: Iterable[bytes]) -> None:
        """A file that is there already."""
        file = self.begin(path)
        for part in parts:
            file.write(part)
        file.end()

    def finish(self) -> None:
        self._zip.close()

    def drain(self) -> bytes:
        """What was written since."""
        return self._sink.drain()


class Writing:
    """One file of a zip while it is written."""

    def __init__(self, file: IO[bytes], path: str, listed: list[Listed]) -> None:
        self._file, self._path, self._list = file, path, listed
        self._digest, self._size = sha256(), 0

    def write(self, part: bytes) -> None:
        self._file.write(part)
        self._digest.update(part)
        self._size += len(part)

    def end(self) -> None:
        self._file.close()
        self._list.append(Listed(self._size, self._digest.hexdigest(), self._path))


class _Sink:
    """A file that cannot be gone back in."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Nothing to be closed."""

    def drain(self) -> bytes:
        found = b"".join(self._parts)
        self._parts.clear()
        return found
