"""Tables of any length as files: CSV in a zip, or a workbook. Written as a stream.

A spreadsheet reads 1,048,576 rows and no more: what is longer goes on in a further sheet, with
the same head. Rows are made and written where that holds up nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, Protocol

from audit.export.bundle import Aside
from audit.export.columns import Row

ROWS: Final = 1_048_575  # of a sheet, beside its head
_AT_ONCE: Final = 2048  # rows; a batch event gives thousands, and what they become is larger


@dataclass(frozen=True)
class Sheet:
    """A table; each of its pages makes some of its rows, when it is called."""

    name: str
    head: Row
    pages: AsyncIterator[Callable[[], Iterable[Row]]]


class Book(Protocol):
    """Where sheets go, one after another."""

    def begin(self, name: str, head: Row) -> None: ...

    def add(self, rows: Iterable[Row]) -> None: ...

    def end(self) -> None:
        """End a sheet."""

    def finish(self) -> None:
        """There is none any more."""

    def drain(self) -> bytes:
        """What was written since."""


async def write(
    book: Book, sheets: Sequence[Sheet], aside: Aside, most: int = ROWS
) -> AsyncIterator[bytes]:
    """The bytes of a book with these sheets, of at most *most* rows each."""
    for sheet in sheets:
        filling = _Filling(book, sheet, most)
        async for page in sheet.pages:
            rows = iter(await aside(page))
            while (piece := await aside(partial(filling.take, rows))) is not None:
                yield piece
        book.end()
    await aside(book.finish)
    yield book.drain()


class _Filling:
    """Puts the rows of one table into as many sheets as it takes."""

    def __init__(self, book: Book, sheet: Sheet, most: int) -> None:
        self._book, self._sheet, self._most = book, sheet, most
        self._number, self._there = 1, 0
        book.begin(sheet.name, sheet.head)

    def take(self, rows: Iterable[Row]) -> bytes | None:
        """Write the next of *rows*; None once there are no more."""
        some = list(islice(rows, _AT_ONCE))
        if not some:
            return None
        start = 0
        while start < len(some):
            if self._there == self._most:
                self._next()
            end = start + self._most - self._there
            self._book.add(some[start:end])
            self._there += len(some[start:end])
            start = end
        return self._book.drain()

    def _next(self) -> None:
        self._book.end()
        self._number, self._there = self._number + 1, 0
        self._book.begin(f"{self._sheet.name}-{self._number}", self._sheet.head)
