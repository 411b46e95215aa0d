"""What was published, and who was given a key: rows beside the events that tell of them.

And that rows were signed as they stand once at most: by a second time somebody
would have had rows of their own signed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass

from audit import trail
from audit.entry import Entry
from audit.kinds import Kind
from audit.log import Log
from consent import specimens, texts
from gateway.callers import api_keys
from storage.database import Database


@dataclass(frozen=True, slots=True)
class _Register:
    """A table of which every row is told of when it is made and when it ends, by *name*."""

    table: str
    made: Kind
    ended: Kind
    name: str  # of the reference that events have
    verb: str


_KEYS = _Register("api_key", Kind.API_KEY_CREATED, Kind.API_KEY_REVOKED, "api_key", "made")
_TEXTS = _Register("consent_text", Kind.TEXT_PUBLISHED, Kind.TEXT_RETIRED, "text", "published")


async def doubts(data: Database, log: Log) -> AsyncIterator[str]:
    """Name what is not what its hash says, and rows that do not fit their events."""
    async with data.snapshot() as connection:
        altered = [*await texts.altered(connection), *await specimens.altered(connection)]
        published, keys = await texts.ended(connection), await api_keys.ended(connection)
        kinds = [kind for one in (_KEYS, _TEXTS) for kind in (one.made, one.ended)]
        told = await trail.happenings(connection, log.macs, [*kinds, Kind.ROWS_ADOPTED])
    if sum(one.kind is Kind.ROWS_ADOPTED for one in told) > 1:
        yield "rows.adopted: rows were signed as they stood more than once"
    for name in altered:
        yield f"{name}: is not what its hash says, or gone"
    for register, there in ((_TEXTS, published), (_KEYS, keys)):
        for doubt in compare(register, told, there):
            yield doubt


def _told(register: _Register, events: Iterable[Entry]) -> dict[str, bool]:
    """Of everything that events tell of, whether it ended last."""
    return {
        one.refs[register.name]: one.kind is register.ended
        for one in events
        if one.kind in (register.made, register.ended) and register.name in one.refs
    }


def compare(
    register: _Register, events: Iterable[Entry], there: Mapping[str, bool]
) -> Iterator[str]:
    """Compare events, in their order, with which rows there are and whether they ended."""
    told = _told(register, events)
    for name in sorted(there.keys() - told.keys(), key=str):
        yield f"{register.table} {name}: no event tells that it was {register.verb}"
    for name, ended in told.items():
        if name not in there:
            yield f"{register.table} {name}: the log tells of it, and its row is gone"
        elif ended and not there[name]:
            yield f"{register.table} {name}: an old row was put back: the log tells of its end"
        elif there[name] and not ended:
            yield f"{register.table} {name}: it has ended, and no event tells of that"
