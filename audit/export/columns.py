"""An export as tables: what stands in which column, each cell as text. Pure.

Tables are for reading: what proves anything are the bytes of the entries, which lines of JSON
and bundles have. `docs/formats/tables.md` names every column.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from audit.canonical import decode
from audit.entry import GRAMMAR, facts_of
from audit.export.disclosed import Disclosed
from audit.export.people import About
from audit.export.records import Record
from audit.tree import leaf_hash
from storage.ids import named

Row = tuple[str, ...]

EVENTS: Final[Row] = (
    *("log", "index", "event_id", "at_utc", "at_local", "kind", "actor", "node", "items"),
    *("refs", "leaf"),
)
FACTS: Final[Row] = (
    *("log", "index", "event_id", "compartment", "position", "name", "part", "value", "why"),
)
PEOPLE: Final[Row] = ("log", "index", "event_id", "person")

_UNREADABLE: Final = "unreadable"  # in the place of a kind: the row is missing or was altered
# A cell holds 32,767 UTF-16 units; what is longer goes on in the next row.
_LONGEST: Final = 16_000
# The same in every event of a person, or said by the columns.
_KNOWN: Final = frozenset({"comp", "eid", "sprev"})


def event_rows(records: Iterable[Record], zone: tzinfo) -> Iterator[Row]:
    """A row for each entry, whatever stands there."""
    for one in records:
        at = (str(one.generation), str(one.index))
        found = GRAMMAR.fullmatch(one.entry) if one.entry is not None else None
        if found is None or one.entry is None:
            yield (*at, "", "", "", _UNREADABLE, "", "", "", "", "")
            continue
        moment, refs = found["at"].decode(), found["refs"]
        yield (
            *at,
            named("evt", decode(found["eid"].decode())),
            moment,
            _local(moment, zone),
            found["kind"].decode(),
            found["actor"].decode(),
            found["node"].decode(),
            (found["count"] or b"").decode(),
            "" if refs is None else _listed(json.loads(refs)),
            f"sha256:{leaf_hash(one.entry).hex()}",
        )


def fact_rows(disclosed: Iterable[Disclosed]) -> Iterator[Row]:
    """Rows for each payload and item of a person: one for each fact, or one that says why not."""
    for entry, one in disclosed:
        at = (str(one["log"]), str(one["index"]), named("evt", entry.eid))
        whole = (*at, one.get("compartment", "evidence"), str(one.get("position", "")))
        if "opened" not in one:
            yield (*whole, "", "", "", one["why"])
            continue
        facts = facts_of(base64.b64decode(one["opened"]))
        told = {name: value for name, value in facts.items() if name not in _KNOWN}
        for name, value in flattened(told):
            for number, piece in enumerate(_pieces(value), 1):
                yield (*whole, name, str(number), piece, "")


def people_rows(page: Iterable[About]) -> Iterator[Row]:
    """A row for each person whom an entry is about."""
    for one in page:
        at = (str(one.record.generation), str(one.record.index), named("evt", one.eid))
        for person in one.people:
            yield (*at, person)


def flattened(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every fact that is in *value* by its name, as text: `reply.code`, `consents.0`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flattened(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, inner in enumerate(value):
            yield from flattened(inner, f"{name}.{number}")
    elif isinstance(value, str):
        yield name, value
    else:
        yield name, json.dumps(value)


def _local(moment: str, zone: tzinfo) -> str:
    try:
        return datetime.fromisoformat(moment).astimezone(zone).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return ""  # a date that there is not: whoever checks the log is told


def _listed(refs: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in refs.items())


def _pieces(value: str) -> Iterator[str]:
    yield value[:_LONGEST]
    for start in range(_LONGEST, len(value), _LONGEST):
        yield value[start : start + _LONGEST]
