"""Tables of any length, as CSV and as a workbook, read back as others read them."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from io import BytesIO

import pytest

from audit.export import sheets
from audit.export.columns import Row
from audit.export.csv_files import CsvFiles
from audit.export.sheets import Book, Sheet
from audit.export.workbook import Workbook
from gateway.flows.proving.exports import at_once
from tests.support import tables

README = b"What this is.\n=1+1\n"
HOSTILE = [
    '=HYPERLINK("http://evil.example","x")',
    "\t=1",
    "＝1+1",
    'a "quoted" <b>&amp;</b> cell',
    "line\r\nline\n",
    "_x0041_ and \0 and \x0b and \ufffe",
    " blanks ",
    "Ünïcödé 🎉",
    "12e45678",
    "",
]
SAFE = ["plain", "781"]


async def written(book: Book, rows: Sequence[Row], most: int = sheets.ROWS) -> bytes:
    async def pages() -> AsyncIterator[Callable[[], Iterable[Row]]]:
        for start in range(0, len(rows), 3):
            yield partial(iter, rows[start : start + 3])

    sheet = Sheet("events", ("a", "b"), pages())
    return b"".join([one async for one in sheets.write(book, [sheet], at_once, most)])


async def test_a_workbook_holds_exactly_what_was_written_as_text() -> None:
    rows = [(one, "x") for one in HOSTILE]

    found = tables.of_workbook(await written(Workbook(README), rows))

    assert found["README"] == [["What this is."], ["=1+1"]]
    assert found["events"] == [["a", "b"], *map(list, rows)]


async def test_csv_is_guarded_and_loses_nothing() -> None:
    rows = [(one, "x") for one in [*HOSTILE, *SAFE]]

    raw = await written(CsvFiles(README), rows)

    ((name, found),) = tables.of_csv(raw).items()
    assert (name, found[0]) == ("events", ["a", "b"])
    assert [one.replace("'", "").removeprefix("id:") for one, _ in found[1:]] == [*HOSTILE, *SAFE]
    assert [one for one, _ in found[1:]][-2:] == SAFE
    assert not any(one.startswith(("=", "\t", "＝")) for one, _ in found[1:])
    with zipfile.ZipFile(BytesIO(raw)) as opened:
        assert opened.read("README.txt") == README


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 6, 10])
async def test_what_is_longer_goes_on_in_further_sheets_with_the_same_head(count: int) -> None:
    rows = [(str(number), "x") for number in range(count)]
    names = ["events", "events-2", "events-3", "events-4"][: max(1, -(-count // 3))]

    as_csv = tables.of_csv(await written(CsvFiles(README), rows, 3))
    as_book = tables.of_workbook(await written(Workbook(README), rows, 3))

    del as_book["README"]
    for found in (as_csv, as_book):
        assert list(found) == names
        assert all(one[0] == ["a", "b"] and len(one) <= 4 for one in found.values())
        assert [row for one in found.values() for row in one[1:]] == list(map(list, rows))


async def test_the_same_rows_are_the_same_bytes() -> None:
    rows = [(one, "x") for one in HOSTILE]

    for kind in (CsvFiles, Workbook):
        assert await written(kind(README), rows) == await written(kind(README), rows)


async def test_many_small_cells_come_out_before_the_last_is_written() -> None:
    """Compressing keeps some back: that nothing came out is no end."""
    rows = [("x", "y")] * 20_000

    for kind in (CsvFiles, Workbook):
        raw = await written(kind(README), rows)
        read = tables.of_csv(raw) if kind is CsvFiles else tables.of_workbook(raw)
        assert len(read["events"]) == 20_001
