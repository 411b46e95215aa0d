"""Tables as a workbook (ECMA-376) in which every cell is text: nothing in it is reckoned.

Written by ourselves, for libraries write their sheets to a folder in the clear first, and
nothing comes out before the last row (docs/adr/0039). Strings stand in their cells, so that
none must be remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from audit.export.columns import Row
from audit.export.zipping import Writing, Zipping

_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_RELATION: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_TEXT: Final = 1  # the format that keeps what somebody types into a cell a text, too
_STYLES: Final = (
    f'{_XML}<styleSheet xmlns="{_MAIN}">'
    '<fonts count="1"><font><sz val="10"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1"'
    ' applyNumberFormat="1"/></cellXfs></styleSheet>'
)
_OPENED: Final = f'<c s="{_TEXT}" t="inlineStr"><is><t xml:space="preserve">'
_CLOSED: Final = "</t></is></c>"
# What XML cannot hold is written as _xHHHH_ (ECMA-376 part 1, 22.9.2.19), and so is what looks so.
_HIDDEN: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\r\x0e-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)"
)


class Workbook:
    """A `Book`: a worksheet for each sheet."""

    def __init__(self, readme: bytes) -> None:
        self._zip = Zipping()
        self._names: list[str] = []
        self._file: Writing | None = None
        self.begin("README", ())
        self.add([(line,) for line in readme.decode().splitlines()])
        self.end()

    def begin(self, name: str, head: Row) -> None:
        self._names.append(name)
        self._file = self._zip.begin(f"xl/worksheets/sheet{len(self._names)}.xml")
        self._file.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
        self.add([head] if head else [])

    def add(self, rows: Iterable[Row]) -> None:
        assert self._file is not None  # noqa: S101 a sheet was begun
        between = _CLOSED + _OPENED
        text = "".join(
            [f"<row>{_OPENED}{between.join(map(_cell, row))}{_CLOSED}</row>" for row in rows]
        )
        self._file.write(text.encode())

    def end(self) -> None:
        assert self._file is not None  # noqa: S101 a sheet was begun
        self._file.write(b"</sheetData></worksheet>")
        self._file.end()

    def finish(self) -> None:
        """Write what says which sheets there are: a reader begins at the end of a zip."""
        numbers = range(1, len(self._names) + 1)
        sheets = zip(numbers, self._names, strict=True)
        listed = "".join(f'<sheet name="{one}" sheetId="{n}" r:id="r{n}"/>' for n, one in sheets)
        workbook = (
            f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATION}"><sheets>{listed}</sheets>'
            "</workbook>"
        )
        related = [(f"r{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
        files = {
            "xl/styles.xml": _STYLES,
            "xl/workbook.xml": workbook,
            "xl/_rels/workbook.xml.rels": _relations([*related, ("r0", "styles", "styles.xml")]),
            "_rels/.rels": _relations([("r1", "officeDocument", "xl/workbook.xml")]),
            "[Content_Types].xml": _types(numbers),
        }
        for path, content in files.items():
            self._zip.add(path, [content.encode()])
        self._zip.finish()

    def drain(self) -> bytes:
        return self._zip.drain()


def _relations(related: Iterable[tuple[str, str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="{name}" Type="{_RELATION}/{kind}" Target="{target}"/>'
        for name, kind, target in related
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'


def _types(numbers: Iterable[int]) -> str:
    parts = {f"/xl/worksheets/sheet{n}.xml": "worksheet" for n in numbers}
    parts |= {"/xl/workbook.xml": "sheet.main", "/xl/styles.xml": "styles"}
    listed = "".join(
        f'<Override PartName="{path}" ContentType="{_TYPE}.{kind}+xml"/>'
        for path, kind in parts.items()
    )
    return (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{listed}</Types>'
    )


def _cell(text: str) -> str:
    if text.isalnum() and text.isascii():
        return text
    escaped = _HIDDEN.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
