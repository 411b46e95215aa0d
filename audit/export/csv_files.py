"""Tables as CSV (RFC 4180), each cell quoted and guarded, in a zip with a note what they are."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable

from audit.export.columns import Row
from audit.export.guard import guarded
from audit.export.zipping import Writing, Zipping

_END = "\r\n"


class CsvFiles:
    """A `Book`: a file for each sheet."""

    def __init__(self, readme: bytes) -> None:
        self._zip = Zipping()
        self._zip.add("README.txt", [readme])
        self._file: Writing | None = None

    def begin(self, name: str, head: Row) -> None:
        self._file = self._zip.begin(f"{name}.csv")
        self._file.write(BOM_UTF8)  # or Excel takes it for the code page of its machine
        self.add([head])

    def add(self, rows: Iterable[Row]) -> None:
        assert self._file is not None  # noqa: S101 a sheet was begun
        text = "".join([f"{','.join(map(_cell, row))}{_END}" for row in rows])
        self._file.write(text.encode(errors="backslashreplace"))

    def end(self) -> None:
        assert self._file is not None  # noqa: S101 a sheet was begun
        self._file.end()

    def finish(self) -> None:
        self._zip.finish()

    def drain(self) -> bytes:
        return self._zip.drain()


def _cell(text: str) -> str:
    inside = guarded(text).replace('"', '""')
    return f'"{inside}"'
