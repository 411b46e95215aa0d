"""Who took what out of the stores, or looked at whom, in a time: by event and kind of caller.

A look may have been kept by whoever looked: each counts as something that can be lost with a
device. Nothing is opened: whose facts an event has is a column.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Entry, format_moment
from audit.kinds import Actor, Kind
from audit.rowmac import LOGGED, RowMacs
from audit.tables import audit_entry, audit_payload
from audit.trail import parsed
from storage.sound import sound

_KINDS: Final = (
    Kind.SUBJECT_ACCESSED,
    Kind.SUBJECT_EXPORTED,
    Kind.EVIDENCE_OPENED,
    Kind.AUDIT_EXPORTED,
)
_NAMES: Final = ("operator", "api_key")
_AT_ONCE: Final = 500  # events of one statement


@dataclass(frozen=True, slots=True)
class Taker:
    """What one caller took or looked at; *name* is a random id, none where a command did."""

    actor: Actor
    name: str | None
    kinds: Mapping[Kind, int]
    people: int  # different ones
    last: datetime


async def between(
    connection: AsyncConnection, macs: RowMacs, since: datetime, until: datetime
) -> Sequence[Taker]:
    """Who took something from *since* up to *until*, with both, who took most first.

    Of what has its place in the log: what is staged gets one within seconds. Use a snapshot.
    """
    entry = audit_entry.c
    query = select(*LOGGED, entry.eid).where(
        entry.kind.in_(_KINDS),
        entry.at >= format_moment(since),
        entry.at <= format_moment(until),
        sound(audit_entry),
    )
    # By their kind, of which there are few: by their time mails would be gone through, too.
    rows = await connection.execute(query.order_by(entry.leaf_index))
    read = [one for row in rows if (one := _ours(macs, row)) is not None]
    groups: dict[tuple[Actor, str | None], list[Entry]] = {}
    for one in read:
        groups.setdefault((one.actor, _by(one)), []).append(one)
    found = [await _taker(connection, *who, events) for who, events in groups.items()]
    return sorted(found, key=lambda one: (-one.people, -sum(one.kinds.values()), one.name or ""))


async def _taker(
    connection: AsyncConnection, actor: Actor, name: str | None, events: Sequence[Entry]
) -> Taker:
    kinds = {kind: sum(one.kind is kind for one in events) for kind in _KINDS}
    people = await _people(connection, [one.eid for one in events])
    counted = {kind: number for kind, number in kinds.items() if number}
    return Taker(actor, name, counted, people, max(one.at for one in events))


async def _people(connection: AsyncConnection, eids: Collection[bytes]) -> int:
    named, found = list(eids), set[str]()
    for start in range(0, len(named), _AT_ONCE):
        theirs = audit_payload.c.eid.in_(named[start : start + _AT_ONCE])
        query = select(audit_payload.c.subject).where(theirs, sound(audit_payload)).distinct()
        found |= set((await connection.execute(query)).scalars())
    return len(found)


def _ours(macs: RowMacs, row: Any) -> Entry | None:
    one = parsed(row.entry) if macs.logged(row) else None
    return one if one is not None and one.kind in _KINDS else None


def _by(entry: Entry) -> str | None:
    return next((entry.refs[name] for name in _NAMES if name in entry.refs), None)
