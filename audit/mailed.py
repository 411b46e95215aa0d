"""Which public checkpoints went out by mail: by the log, for any row beside it could be deleted.

`checkpoint.mailed` names the checkpoint and the message, and its one item, sealed, whose
mailbox it went to. It is staged with the message, so that there is one mail for each.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import succession, trail
from audit.canonical import encode
from audit.entry import EVIDENCE, Entry, Event, Item, Opener, item_place, parse
from audit.errors import EntryError
from audit.kinds import Actor, Kind
from audit.published import Stored
from audit.rowmac import LOGGED, STAGED, RowMacs
from audit.tables import audit_entry, audit_item, audit_pending
from audit.trail import Opening
from storage.sound import sound

_KIND = Kind.CHECKPOINT_MAILED
# Rows that no gateway wrote, and how many of them are looked behind.
_LOOKED_BEHIND = 100


@dataclass(frozen=True, slots=True)
class Mailed:
    """One checkpoint that was queued as a mail."""

    eid: bytes
    at: datetime
    place: int  # behind the last entry that the checkpoint covers
    message: str


def event(eid: bytes, shown: Stored, message: str, subject: str, now: datetime) -> Event:
    """What the log is told of the mail that carries *shown* to somebody."""
    refs = {
        "generation": str(succession.generation_of(shown.place)),
        "message": message,
        "root": encode(shown.checkpoint.root),
        "size": str(shown.checkpoint.size),
    }
    items = [Item(subject, {"message": message})]
    return Event(_KIND, Actor.SYSTEM, now, eid, refs, items=items)


async def newest(connection: AsyncConnection, macs: RowMacs, wanted: int) -> list[Mailed]:
    """The last ones that a gateway logged or staged, newest first."""
    staged = select(*STAGED).where(sound(audit_pending)).order_by(audit_pending.c.n.desc())
    logged = select(*LOGGED).where(audit_entry.c.kind == _KIND, sound(audit_entry))
    logged = logged.order_by(audit_entry.c.leaf_index.desc()).limit(wanted + _LOOKED_BEHIND)
    found: list[Mailed] = []
    for query, ours in ((staged, macs.staged), (logged, macs.logged)):
        for row in await connection.execute(query):
            read = _read(row.entry) if ours(row) else None
            found += [] if read is None else [read]
    return found[:wanted]


def _read(raw: bytes) -> Mailed | None:
    try:
        entry = parse(raw)
    except EntryError:
        return None
    return _mailed(entry) if entry.kind is _KIND else None


def _mailed(entry: Entry) -> Mailed:
    generation, size = int(entry.refs["generation"]), int(entry.refs["size"])
    place = succession.base_of(generation) + size
    return Mailed(entry.eid, entry.at, place, entry.refs["message"])


class Keeper(NamedTuple):
    """Whose name stands beside an event; `of` says whether it is true."""

    eid: bytes
    subject: str
    sealed: bytes
    commitment: bytes


async def keepers(connection: AsyncConnection, eids: Collection[bytes]) -> list[Keeper]:
    """To whom these went, as the rows say it; of who was erased there is none."""
    row = audit_item.c
    query = select(row.eid, row.subject, row.sealed, row.commitment).where(
        row.eid.in_(list(eids)), row.position == 0, row.sealed.is_not(None), sound(audit_item)
    )
    found = await connection.execute(query.where(row.subject.is_not(None)))
    return [Keeper(*one) for one in found]


def is_true(one: Keeper, opener: Opener) -> bool:
    """Whether what the event was bound to says so, too: a row can be given another name."""
    place = item_place(one.eid, 0)
    opening, facts = trail.open_one(
        opener, one.subject, EVIDENCE, place, one.sealed, one.commitment
    )
    return opening is Opening.OPENED and facts is not None and facts.get("sub") == one.subject
