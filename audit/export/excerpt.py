"""Some entries of the log as lines of JSON, with the names or the facts that an export adds.

For programs; it proves nothing by itself, as a bundle of the same entries does. The lines of a
whole log are `jsonl.py`'s, and can be checked. docs/formats/tables.md defines the bytes.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from audit.canonical import canonical, encode
from audit.entry import SALT_SIZE, facts_of, format_moment
from audit.export import people, records
from audit.export.disclosed import Disclosed
from audit.export.records import Record
from audit.export.selection import Part, Wanted
from storage.database import Database

FORMAT: Final = "consentgw/audit/events/v1"


async def lines(
    data: Database, origin: str, parts: Sequence[Part], wanted: Wanted
) -> AsyncIterator[bytes]:
    """A header, the entries, what is said of people, and the checkpoint of each log."""
    times = {"since": wanted.since, "until": wanted.until}
    said = {name: None if at is None else format_moment(at) for name, at in times.items()}
    yield _line({"format": FORMAT, "kind": wanted.kind, "origin": origin, **said})
    async for page in records.pages(data, parts, wanted):
        yield b"".join(map(_entry, page))
    if wanted.pseudonyms is not None:
        async for piece in people.lines(data, parts, wanted, wanted.pseudonyms):
            yield piece
    if wanted.person is not None:
        async for disclosed in wanted.person.pages(data):
            yield b"".join(map(_fact, disclosed))
    yield b"".join(_checkpoints(parts))


def _entry(one: Record) -> bytes:
    # An altered entry may be any bytes; there it is not repeated.
    entry = None if one.entry is None else one.entry.decode(errors="backslashreplace")
    return _line({"entry": entry, "index": one.index, "log": one.generation})


def _fact(one: Disclosed) -> bytes:
    said = dict(one.said)
    if "opened" in said:
        raw = base64.b64decode(said.pop("opened"))
        # Written canonically they are the bytes that the entry commits to.
        said |= {"facts": facts_of(raw), "salt": encode(raw[:SALT_SIZE])}
    return _line(said)


def _checkpoints(parts: Sequence[Part]) -> Iterable[bytes]:
    return (_line({"checkpoint": part.newest.note, "log": part.generation}) for part in parts)


def _line(value: Any) -> bytes:
    return canonical(value) + b"\n"
