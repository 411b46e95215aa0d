"""Tables of an export, read back by what knows nothing of ours: `csv`, and a reader of XML."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Any
from xml.etree import ElementTree

from audit.export import selection
from audit.export.selection import Wanted
from gateway.flows.proving import export_forms
from gateway.flows.proving.export_forms import Export, Form, Order, Source
from gateway.flows.proving.exports import at_once
from storage.database import Database
from tests.support.audit import LOG, PUBLISHER

Rows = list[list[str]]

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def of_csv(raw: bytes) -> dict[str, Rows]:
    """Every CSV file of a zip, by its name."""
    found = {}
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        for name in opened.namelist():
            if name.endswith(".csv"):
                text = opened.read(name)
                assert text.startswith(b"\xef\xbb\xbf")
                decoded = text.decode("utf-8-sig")
                # Every cell is quoted, every line ends in CR LF.
                assert re.fullmatch(r'(?:"(?:[^"]|"")*"(?:,|\r\n))*', decoded)
                reader = csv.reader(io.StringIO(decoded, newline=""), strict=True)
                found[name.removesuffix(".csv")] = list(reader)
    return found


def of_workbook(raw: bytes) -> dict[str, Rows]:
    """Every sheet of a workbook, by its name; each cell must be a text."""
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        related = {
            one.attrib["Id"]: f"xl/{one.attrib['Target']}"
            for one in _xml(opened.read("xl/_rels/workbook.xml.rels"))
        }
        sheets = _xml(opened.read("xl/workbook.xml")).iter(f"{_MAIN}sheet")
        return {
            one.attrib["name"]: list(_rows(opened.read(related[one.attrib[_LINK]])))
            for one in sheets
        }


def _xml(raw: bytes) -> Any:
    return ElementTree.fromstring(raw)  # noqa: S314 it is our own


def _rows(raw: bytes) -> Iterator[list[str]]:
    for row in _xml(raw).iter(f"{_MAIN}row"):
        cells = list(row)
        assert {one.attrib["t"] for one in cells} == {"inlineStr"}, "a cell is no text"
        assert not any(list(one.iter(f"{_MAIN}f")) for one in cells), "a formula"
        texts = [one.find(f"{_MAIN}is/{_MAIN}t") for one in cells]
        yield [_ESCAPED.sub(_shown, one.text or "") for one in texts if one is not None]


def _shown(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


async def order_of(
    data: Database, form: Form, wanted: Wanted, up_to: int | None = None, zone: tzinfo = UTC
) -> Export:
    """An export of the log in *data*, as the flow makes it."""
    logs = await selection.parts_of(data, LOG, PUBLISHER.verifier, up_to)
    order = Order(form, logs, wanted, zone, {})
    return export_forms.export(Source(data, LOG, PUBLISHER, at_once), order)


async def whole(export: Export, start: int = 0) -> bytes:
    return b"".join([piece async for piece in export.read(start)])
