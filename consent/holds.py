"""Holds: somebody's proof is needed in a dispute, so their erasure waits (Art. 17(3)(e) GDPR).

The log decides whether one stands, as with everything that cannot be undone
(docs/adr/0024-acts-ask-the-log.md): a row that somebody planted keeps nobody from
being erased, and one that somebody deleted lets no proof be destroyed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import roll
from audit.entry import Sealer
from audit.kinds import Kind
from audit.rowmac import RowMacs
from audit.trail import Told
from consent import tables
from consent.errors import StoredError
from consent.held_evidence import HoldPlaced
from consent.keys.vault import Compartment
from consent.stored import Stored
from storage import paging
from storage.honesty import RowKeys
from storage.signed import SignedTable
from storage.types import among

hold = tables.hold


@dataclass(frozen=True, slots=True)
class Hold:
    """One of a person; over at its date whether or not anybody has written that down."""

    id: str
    subject: str
    reason: bytes = field(repr=False)  # sealed, with what proves their consents
    placed_at: datetime
    until: datetime
    eid: bytes  # the event that placed it


def sealed_reason(subject: str, name: str, reason: str, sealer: Sealer) -> bytes:
    """Why, for the row; it goes with the person's key."""
    return sealer.seal(subject, Compartment.EVIDENCE, ("hold", "reason", name), reason.encode())


async def add(connection: AsyncConnection, keys: RowKeys, new: Hold) -> None:
    """Keep a hold, under the gate of whom it is on."""
    values = {name: getattr(new, name) for name in _COVERED}
    signed = keys.sign(hold.name, *values.values())._asdict()
    await connection.execute(insert(hold).values(values | signed))


async def get(connection: AsyncConnection, keys: RowKeys, name: str) -> Hold | None:
    """One hold; None where no gateway wrote such a row."""
    rows = await connection.execute(select(hold).where(hold.c.id == name))
    return next(_ours(keys, rows), None)


async def of_subjects(
    connection: AsyncConnection, keys: RowKeys, subjects: Iterable[str]
) -> list[Hold]:
    """The holds on these people that a gateway wrote, over or not."""
    query = select(hold).where(among(hold.c.subject, subjects))
    return list(_ours(keys, await connection.execute(query)))


async def until(
    connection: AsyncConnection, keys: RowKeys, subject: str, now: datetime
) -> datetime | None:
    """When the last hold on somebody ends, by its rows: to tell them, never to act by."""
    standing = await of_subjects(connection, keys, [subject])
    return max((one.until for one in standing if one.until > now), default=None)


async def over(
    connection: AsyncConnection, keys: RowKeys, now: datetime, after: str | None, limit: int
) -> tuple[list[str], list[Hold]]:
    """The next that are past their date: all ids, and those rows that a gateway wrote."""
    query = paging.by_name(select(hold).where(hold.c.until <= now), hold.c.id, after, limit)
    rows = (await connection.execute(query)).all()
    return [row.id for row in rows], list(_ours(keys, rows))


async def remove(connection: AsyncConnection, names: Iterable[str]) -> None:
    """Let go of holds that have ended; the log keeps that they were."""
    await connection.execute(delete(hold).where(among(hold.c.id, names)))


async def held_back(
    connection: AsyncConnection,
    keys: RowKeys,
    macs: RowMacs,
    told: Mapping[str, Sequence[Told]],
    now: datetime,
) -> set[str]:
    """Who of these people must not be erased at *now*; of each, what the log tells.

    Hold their gates. Where the facts of its event are away, a row of ours whose event is in
    the log is believed.
    """
    found = {subject for subject, events in told.items() if _stands(events, now)}
    rows = [one for one in await of_subjects(connection, keys, told) if one.until > now]
    lifted = {name for events in told.values() for name in lifted_by(events)}
    left = [one for one in rows if one.subject not in found and one.id not in lifted]
    kinds = await roll.kinds_of(connection, macs, {one.eid for one in left}) if left else {}
    return found | {one.subject for one in left if kinds.get(one.eid) is Kind.HOLD_PLACED}


def _stands(told: Sequence[Told], now: datetime) -> bool:
    placed = {one.hold: one.until for event in told if (one := _placed(event)) is not None}
    lifted = lifted_by(told)
    return any(until > now for name, until in placed.items() if name not in lifted)


def lifted_by(told: Iterable[Told]) -> set[str]:
    """The holds of which these events say that they ended."""
    return {str(event.facts.get("hold")) for event in told if event.kind is Kind.HOLD_LIFTED}


def _placed(event: Told) -> HoldPlaced | None:
    if event.kind is not Kind.HOLD_PLACED:
        return None
    try:
        return HoldPlaced.read(Stored(dict(event.facts)))
    except StoredError:
        return None


_COVERED = ("id", "subject", "reason", "placed_at", "until", "eid")


def _granting(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _COVERED)


def _ours(keys: RowKeys, rows: Iterable[Any]) -> Iterator[Hold]:
    return (
        Hold(**{name: getattr(row, name) for name in _COVERED})
        for row in rows
        if SIGNED.fits(keys, row)
    )


async def every(connection: AsyncConnection, keys: RowKeys) -> dict[str, Hold]:
    """Every row that a gateway wrote, by its id."""
    return {one.id: one for one in _ours(keys, await connection.execute(select(hold)))}


SIGNED = SignedTable(hold, select(hold), _granting)
