"""Where a command writes what may be large: a file that a killed command goes on with.

Beside FILE lies FILE.NAME.part until it is whole; NAME stands for every byte of it, so that who
says the same again goes on with the same.
"""

from __future__ import annotations

import glob
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import typer

from gateway.cli.talk import fail, named
from storage import files

_ENDINGS: Final = {
    "bundle": ".zip",
    "csv": ".zip",  # a table is a file of it
    "html": ".html",
    "json": ".json",
    "jsonl": ".jsonl",
    "jsonld": ".jsonld",
    "pdf": ".pdf",
    "xlsx": ".xlsx",
}
_ALIKE: Final = {(".json", "jsonl"), (".json", "jsonld")}
_OTHERS: Final = {*_ENDINGS.values(), ".csv"}
_WORDS: Final = {
    "bundle": "a zip",
    "csv": "a zip of tables",
    "html": "a page",
    "json": "JSON",
    "jsonl": "lines of JSON",
    "jsonld": "JSON-LD",
    "pdf": "a PDF",
    "xlsx": "a workbook",
}
ELSEWHERE = "give -o a file in a folder that is there and yours, with room, or - for stdout"


class Output:
    """The place that -o names."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # What is there and no file, such as /dev/null or a pipe, takes bytes and keeps none.
        self.keeps = str(path) != "-" and (path.is_file() or not path.exists())

    def begun(self) -> str | None:
        """The name of what was begun and is not whole; None where nothing is."""
        before, behind = f"{self._path.name}.", ".part"
        if not self.keeps:
            return None
        pattern = f"{glob.escape(before)}*{behind}"
        there = sorted(one.name for one in self._path.parent.glob(pattern))
        names = [one.removeprefix(before).removesuffix(behind) for one in there]
        if len(names) > 1:
            raise fail(f"several exports were begun: remove all but one of {', '.join(there)}")
        return names[0] if names else None

    def part_of(self, name: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{name}.part")

    def length(self, name: str) -> int:
        """How much of it is there."""
        part = self.part_of(name)
        return part.stat().st_size if self.keeps and part.exists() else 0

    async def write(self, name: str, pieces: AsyncIterator[bytes]) -> int:
        """Write all *pieces*, from the first; returns how many bytes they have.

        Those that are there already are compared, and written where they differ: what a crash
        left of the last ones may be anything.
        """
        if not self.keeps:
            return await self._pour(pieces)
        part = self.part_of(name)
        with named(self._path, "written", ELSEWHERE):
            with files.going_on(part) as file:
                size = await _go_on(file, pieces)
            files.give_name(part, self._path)
        return size

    async def _pour(self, pieces: AsyncIterator[bytes]) -> int:
        size = 0
        with named(self._path, "written", ELSEWHERE), opened(self._path) as file:
            async for piece in pieces:
                file.write(piece)
                size += len(piece)
            file.flush()
        return size


def require_ending(path: Path, form: str) -> None:
    """Refuse a name that is one of another form: some program would take the file for that."""
    ending, own = path.suffix.lower(), _ENDINGS[form]
    if ending not in _OTHERS - {own} or (ending, form) in _ALIKE:
        return
    said = f"{path.name} would be {_WORDS[form]}: call it {path.stem}{own}"
    if ending == ".csv" and form != "csv":
        said += f"; tables are --format csv, in a zip: {path.stem}.zip"
    raise typer.BadParameter(said, param_hint="-o")


def require_writable(path: Path | None) -> None:
    """Before long work, and before anybody's data is opened: that *path* can be written.

    It changes nothing; what is there and no file, such as a pipe, is not touched.
    """
    if path is None or str(path) == "-":
        return
    is_there = path.exists()
    if is_there and not path.is_file() and not path.is_dir():
        return
    with named(path, "written", ELSEWHERE):
        open(path, "ab", opener=files.opener).close()
        if not is_there:
            path.unlink()


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file at *path*, its owner's alone; or standard output."""
    if str(path) == "-":
        yield sys.stdout.buffer
        return
    with named(path, "written", ELSEWHERE):
        file = open(path, "wb", opener=files.opener)  # noqa: SIM115 closed below
        files.keep_private(path)  # it may have been there
    with closing(file):
        yield file


async def _go_on(file: BinaryIO, pieces: AsyncIterator[bytes]) -> int:
    size, is_behind = 0, True
    async for piece in pieces:
        if is_behind and file.read(len(piece)) != piece:
            is_behind = False
            file.seek(size)
            file.truncate()
        if not is_behind:
            file.write(piece)
        size += len(piece)
    file.truncate(size)
    return size
