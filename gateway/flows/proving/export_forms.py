"""An export in each of its forms, under a name that stands for every byte of it.

The name says up to which checkpoint the entries go, and holds a digest of whatever else
decides what is written. So who was cut off goes on where they were, and two files of one name
are the same file; what would not be the same any more has another name.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from typing import Final

from audit.canonical import canonical
from audit.entry import format_moment
from audit.export import bundle, excerpt, selection, sheets, tabulated
from audit.export.csv_files import CsvFiles
from audit.export.jsonl import jsonl
from audit.export.selection import Part, Wanted
from audit.export.workbook import Workbook
from audit.log import Log
from audit.publish import Publisher
from gateway.flows.rights.dossier import Aside
from gateway.look import resources
from storage import patterns
from storage.database import Database

Bytes = AsyncIterator[bytes]
Files = Mapping[str, Sequence[bytes]]

_NAME: Final = re.compile(patterns.EXPORT, re.ASCII)
_TAG: Final = 16
_NOTHING_YET: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Form(StrEnum):
    """As what an export is written."""

    BUNDLE = "bundle"
    JSONL = "jsonl"
    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"

    @property
    def has_local_times(self) -> bool:
        return self in (Form.CSV, Form.XLSX, Form.PDF)


@dataclass(frozen=True, slots=True)
class Source:
    """Where entries come from, and who signs."""

    data: Database
    log: Log
    publisher: Publisher
    aside: Aside


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted, from which logs, and what else decides about bytes."""

    form: Form
    logs: Sequence[Part]
    wanted: Wanted
    zone: tzinfo
    files: Files = field(repr=False)
    state: Sequence[object] = ()  # of what may change beside the log

    @property
    def up_to(self) -> int:
        """The place behind the last entry; 0 before the first checkpoint."""
        return self.logs[-1].base + self.logs[-1].size if self.logs else 0

    @property
    def made_at(self) -> datetime:
        """The moment of the newest checkpoint: by it, two exports of one name are the same."""
        return self.logs[-1].newest.published_at if self.logs else _NOTHING_YET

    @property
    def name(self) -> str:
        decided = [
            *(self.form, self.wanted.kind, *map(_moment, (self.wanted.since, self.wanted.until))),
            *(part.newest.note for part in self.logs),
            *(one.note for part in self.logs for one in part.older),
            [[generation, *sizes] for generation, sizes in sorted(self.wanted.sizes.items())],
            [[path, sha256(b"".join(parts)).hexdigest()] for path, parts in self.files.items()],
            *(str(self.zone), version("consent-gateway"), zlib.ZLIB_RUNTIME_VERSION),
            list(self.state),
        ]
        return f"{self.up_to}-{sha256(canonical(decided)).hexdigest()[:_TAG]}"


@dataclass(frozen=True, slots=True)
class Export:
    """What somebody gets, made anew each time that it is asked for."""

    source: Source
    order: Order
    name: str
    _make: Callable[[Source, Order], Bytes]

    async def entries(self) -> int:
        """How many entries will have been gone through; twice, where people are named."""
        wanted, data = self.order.wanted, self.source.data
        count = await selection.entries(data, self.order.logs, wanted)
        return count * (2 if wanted.pseudonyms is not None else 1)

    async def length(self) -> int:
        """How many bytes it has: known once all were made."""
        size = 0
        async for piece in self._make(self.source, self.order):
            size += len(piece)
        return size

    async def read(self, start: int = 0) -> Bytes:
        """The bytes from *start* on."""
        async for piece in self._make(self.source, self.order):
            if start < len(piece):
                yield piece[start:]
            start = max(0, start - len(piece))


def up_to(name: str) -> int | None:
    """Up to which place an export of that name goes; None for what is no name of one."""
    found = _NAME.fullmatch(name)
    return None if found is None else int(found[1])


def export(source: Source, order: Order) -> Export:
    """An export, of which nothing is made yet; that of a paper is the bundle that it names."""
    return Export(source, order, order.name, _FORMS[order.form])


def _bundle(source: Source, order: Order) -> Bytes:
    return bundle.write(
        source.data,
        source.log.first,
        order.logs,
        order.wanted,
        order.files,
        partial(source.publisher.sign_manifest, beside=order.logs[-1].newest.note),
        order.made_at,
        source.aside,
    )


def _lines(source: Source, order: Order) -> Bytes:
    if order.wanted.kind == "log":
        return jsonl(
            source.data, source.log, source.publisher.verifier, order.up_to, order.wanted.passed
        )
    return excerpt.lines(source.data, source.log.first, order.logs, order.wanted)


def _csv(source: Source, order: Order) -> Bytes:
    return _tables(source, order, CsvFiles)


def _xlsx(source: Source, order: Order) -> Bytes:
    return _tables(source, order, Workbook)


def _tables(source: Source, order: Order, kind: Callable[[bytes], sheets.Book]) -> Bytes:
    tables = tabulated.sheets(source.data, order.logs, order.wanted, order.zone)
    return sheets.write(kind(_readme(source, order)), tables, source.aside)


def _readme(source: Source, order: Order) -> bytes:
    raw = (resources.templates() / "tables" / "README.txt").read_bytes()
    said = {
        "log": source.log.first,
        "export": order.name,
        "kind": order.wanted.kind,
        "since": _moment(order.wanted.since),
        "until": _moment(order.wanted.until),
        "zone": str(order.zone),
    }
    return raw + "".join(f"{name}: {value}\n" for name, value in said.items() if value).encode()


def _moment(at: datetime | None) -> str | None:
    return None if at is None else format_moment(at)


_FORMS: Final[Mapping[Form, Callable[[Source, Order], Bytes]]] = {
    Form.BUNDLE: _bundle,
    Form.JSONL: _lines,
    Form.CSV: _csv,
    Form.XLSX: _xlsx,
    Form.PDF: _bundle,
}
