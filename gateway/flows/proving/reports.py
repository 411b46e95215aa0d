"""What a report about the log tells: its events, and what checking the bundle of them gave.

The bundle is made, hashed and checked by the file that lies in it, as whoever distrusts us
would; the paper names it by its name and its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from io import BytesIO
from typing import Any, Final

from audit.entry import Entry
from audit.export import columns, records
from audit.export.columns import Row
from audit.export.records import Record
from audit.export.selection import Part
from audit.kinds import Actor, Kind
from audit.trail import parsed
from gateway.flows.errors import TooManyEvents
from gateway.flows.proving import export_forms
from gateway.flows.proving.export_forms import Export, Form
from gateway.look import verifying

MOST: Final = 50_000  # events: a thousand pages


@dataclass(frozen=True, slots=True)
class Happening:
    """One event, as far as its entry says."""

    generation: int
    index: int
    at: datetime
    kind: Kind
    actor: Actor
    items: int
    refs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Checked:
    """A bundle, and what its own verifier said of it."""

    name: str
    digest: str
    level: str | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a paper is made of; *facts* are a person's, by log and index."""

    export: Export
    origin: str
    happenings: Sequence[Happening]
    covers: int  # entries that tell of nothing
    unreadable: int
    checked: Checked
    facts: Mapping[tuple[int, int], Sequence[tuple[str, str]]] = field(repr=False)

    @property
    def logs(self) -> Sequence[Part]:
        return self.export.order.logs


async def report(export: Export, held: Sequence[str] = ()) -> Report:
    """Everything that the paper says; raises `TooManyEvents` before anything dear is done."""
    source, wanted = export.source, export.order.wanted
    happenings: list[Happening] = []
    covers = unreadable = 0
    async for page in records.pages(source.data, export.order.logs, wanted):
        for one in await source.aside(partial(_read, page)):
            if one is None:
                unreadable += 1
            elif one.kind is Kind.LOG_COVER:
                covers += 1
            else:
                happenings.append(one)
        if len(happenings) > MOST:
            raise TooManyEvents(MOST)
    facts = await _facts(export)
    checked = await _check(export, held)
    return Report(export, source.log.first, happenings, covers, unreadable, checked, facts)


def _read(page: Iterable[Record]) -> list[Happening | None]:
    return [_happening(one, None if one.entry is None else parsed(one.entry)) for one in page]


def _happening(record: Record, entry: Entry | None) -> Happening | None:
    if entry is None:
        return None
    items = 0 if entry.batch is None else entry.batch.count
    said = (entry.at, entry.kind, entry.actor, items, entry.refs)
    return Happening(record.generation, record.index, *said)


async def _facts(export: Export) -> dict[tuple[int, int], list[tuple[str, str]]]:
    found: dict[tuple[int, int], list[tuple[str, str]]] = {}
    person = export.order.wanted.person
    if person is None:
        return found
    async for page in person.pages(export.source.data):
        for row in await export.source.aside(partial(_rows, page)):
            log, index, _, _, _, name, _, value, why = row
            found.setdefault((int(log), int(index)), []).append((name, value or why))
    return found


def _rows(page: Iterable[Any]) -> list[Row]:
    return list(columns.fact_rows(page))


async def _check(export: Export, held: Sequence[str]) -> Checked:
    source = export.source
    bundle = export_forms.export(source, replace(export.order, form=Form.BUNDLE))
    file, digest = BytesIO(), sha256()
    async for piece in bundle.read():
        file.write(piece)
        digest.update(piece)
    verifier = verifying.module()
    notes = [note.encode() for note in held]
    found = await source.aside(partial(verifier.judge, file, source.publisher.vkey, notes))
    is_fault = isinstance(found, verifier.Fault)
    level, fault = (None, str(found)) if is_fault else (found.level, None)
    return Checked(bundle.name, digest.hexdigest(), level, fault)
