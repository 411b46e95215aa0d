"""Exports that were asked for at the desk: how far each is, and its bytes until they are fetched.

Who asked is signed with what they asked for: nobody else gets it. How far it is, is not: whoever
writes that takes away, or has one file handed over again to who asked, which is told each time.
A piece is sealed in its place and with the export's name, so what opens as a whole is whole.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import and_, exists, func, insert, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys.vault import Compartment
from gateway.callers import dropping
from gateway.schema.tables import desk_export, desk_export_piece
from storage import straight
from storage.honesty import RowKeys
from storage.locks import delete_free
from storage.signed import SignedTable
from storage.types import among

LIFE: Final = timedelta(hours=24)  # of bytes that nobody fetches
LEASE: Final = timedelta(seconds=30)  # of who makes it, renewed every second
KEPT: Final = timedelta(days=30)  # that there was one
# Of who fetches it, renewed once half of it is over: a reader has two minutes for a piece.
HANDING: Final = timedelta(minutes=6)
_AT_ONCE: Final = 20
TRIES: Final = 5  # then it comes to nothing: it may be what ends its makers
_table: Final = desk_export


class State(StrEnum):
    """How far it is."""

    WAITS = "waits"
    MAKING = "making"
    READY = "ready"
    FETCHED = "fetched"
    OVER = "over"  # nobody fetched it in time
    CANCELLED = "cancelled"
    FAILED = "failed"


class Why(StrEnum):
    """Why it failed; while it is made: how it goes on after somebody was interrupted."""

    GONE = "gone"  # the person, or who asked
    LARGE = "large"
    PAPER = "paper"  # too much for one
    FAULT = "fault"
    RESUMED = "resumed"
    ANEW = "anew"


STANDING: Final = (State.WAITS, State.MAKING, State.READY)


@dataclass(frozen=True, slots=True)
class Job:
    """One export, as it stands."""

    id: str
    operator: str
    subject: str | None
    why: bytes | None = field(repr=False)
    wanted: str
    asked_at: datetime
    state: State = State.WAITS
    reason: str | None = None
    name: str | None = None
    done: int = 0
    whole: int = 0
    pieces: int = 0
    size: int = 0
    maker: str | None = None
    lease_until: datetime | None = None
    tries: int = 0
    ended_at: datetime | None = None
    fetched_at: datetime | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is wanted."""
        found: Mapping[str, Any] = json.loads(self.wanted)
        return found

    @property
    def owner(self) -> tuple[str, Compartment]:
        """Under whose key its pieces are: with a person, their export goes."""
        if self.subject is None:
            return self.operator, Compartment.STAFF
        return self.subject, Compartment.PROFILE

    def place(self, n: int, *, last: bool) -> tuple[str, str, str]:
        """What a piece is bound to: to the name, or the log could be had to tell of another one.

        The last one says so, or a file could be cut short.
        """
        where = f"{self.id}/{self.name}/{n}{'/last' if last else ''}"
        return desk_export_piece.name, "sealed", where

    def fetchable(self, now: datetime) -> bool:
        return self.state is State.READY and (self.ended_at or now) > now - LIFE


_SIGNED: Final = ("id", "operator", "subject", "why", "wanted", "asked_at")
_COLUMNS: Final = tuple(one.name for one in fields(Job))


def _signed(row: Any) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _SIGNED)


SIGNED = SignedTable(desk_export, select(desk_export), _signed)


async def add(connection: AsyncConnection, keys: RowKeys, job: Job) -> None:
    row = {name: getattr(job, name) for name in _COLUMNS} | {"state": str(job.state)}
    signed = keys.sign(_table.name, *_signed(job))._asdict()
    await connection.execute(insert(_table).values(row | signed))


async def of_operator(
    connection: AsyncConnection, keys: RowKeys, operator: str, limit: int
) -> list[Job]:
    """What they asked for, newest first."""
    query = select(_table).where(_table.c.operator == operator)
    newest = query.order_by(_table.c.asked_at.desc(), _table.c.id.desc()).limit(limit)
    found = (_read(keys, row) for row in await connection.execute(newest))
    return [one for one in found if one is not None]


async def get(connection: AsyncConnection, keys: RowKeys, name: str, operator: str) -> Job | None:
    """One of theirs; of another operator's nobody learns that there is one."""
    query = select(_table).where(_table.c.id == name, _table.c.operator == operator)
    row = (await connection.execute(query)).first()
    return None if row is None else _read(keys, row)


async def standing(connection: AsyncConnection, operator: str, now: datetime) -> int:
    """How many of theirs are to be made or fetched, however many ended since."""
    late = and_(_table.c.state == State.READY, _table.c.ended_at <= now - LIFE)
    theirs = and_(_table.c.operator == operator, _table.c.state.in_(STANDING), not_(late))
    query = select(func.count()).select_from(_table).where(theirs)
    return int((await connection.execute(query)).scalar_one())


async def room_taken(connection: AsyncConnection) -> int:
    """How many bytes wait to be fetched."""
    query = select(func.sum(_table.c.size)).where(_table.c.state.in_(STANDING))
    return int((await connection.execute(query)).scalar_one() or 0)


# Made once: each process asks it twice a second.
_ANY = select(exists().where(_table.c.state.in_((State.WAITS, State.MAKING))))


async def any_to_make(connection: AsyncConnection) -> bool:
    """Whether `take` may find one; also while another maker has all that there are."""
    return any(found for (found,) in await straight.rows(connection, _ANY))


async def take(connection: AsyncConnection, keys: RowKeys, maker: str, now: datetime) -> Job | None:
    """Take the next one to make: one that waits, or that its maker let go of by standing still.

    The try is counted here, so one that ends its maker each time is not taken for ever.
    """
    due = or_(_table.c.lease_until.is_(None), _table.c.lease_until <= now)
    query = (
        select(_table)
        .where(_table.c.state.in_((State.WAITS, State.MAKING)), due)
        .order_by(_table.c.asked_at, _table.c.id)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    for row in (await connection.execute(query)).all():
        job = _read(keys, row)
        # One that no gateway wrote, too: it must not stand before the others for ever.
        if job is None or job.tries >= TRIES:
            await _end(connection, _table.c.id == row.id, State.FAILED, Why.FAULT, now)
            continue
        taken = {"state": State.MAKING, "maker": maker, "lease_until": now + LEASE}
        taken |= {"tries": job.tries + 1}
        await connection.execute(update(_table).where(_table.c.id == job.id).values(taken))
        return await _again(connection, keys, job.id)
    return None


async def begin(
    connection: AsyncConnection, job: Job, name: str, whole: int, reason: Why | None
) -> bool:
    """Note of which bytes what is kept is; unless it is *resumed*, nothing is kept yet."""
    values: dict[str, object] = {"name": name, "whole": whole, "reason": reason, "done": 0}
    return await _by_maker(connection, job, values)


async def clear(connection: AsyncConnection, job: Job) -> int | None:
    """Delete some of what is kept, before it is begun anew; 0 where nothing is left.

    None where it is not ours any more: another one keeps pieces there meanwhile.
    """
    if not await _by_maker(connection, job, {"pieces": 0, "size": 0}):
        return None
    return await dropping.drop(connection, [job.id])


async def beat(connection: AsyncConnection, job: Job, done: int, now: datetime) -> bool:
    """Say how far it is; False where it is not ours any more: cancelled, or another's."""
    return await _by_maker(connection, job, {"done": done, "lease_until": now + LEASE})


async def keep(connection: AsyncConnection, job: Job, n: int, sealed: bytes, size: int) -> bool:
    """Keep the piece *n*, with which there are *size* bytes; False as `beat`."""
    if not await _by_maker(connection, job, {"pieces": n + 1, "size": size}):
        return False
    row = {"export": job.id, "n": n, "sealed": sealed}
    await connection.execute(insert(desk_export_piece).values(row))
    return True


async def finish(connection: AsyncConnection, job: Job, done: int, now: datetime) -> None:
    """It can be fetched: in the transaction that keeps its last piece."""
    values = {"state": State.READY, "done": done, "ended_at": now}
    await _by_maker(connection, job, values | {"maker": None, "lease_until": None})


async def release(
    connection: AsyncConnection, job: Job, due: datetime | None, *, counts: bool
) -> None:
    """Give it back, with what is kept of it, until it is *due* again.

    *counts*: as a try that came to nothing.
    """
    tries = job.tries if counts else job.tries - 1
    values = {"state": State.WAITS, "maker": None, "lease_until": due, "tries": tries}
    await _by_maker(connection, job, values)


async def fail(
    connection: AsyncConnection, keys: RowKeys, job: Job, why: Why, now: datetime
) -> None:
    """It comes to nothing: it cannot be made, or what was ready cannot be handed over."""
    which = _ready(job) if job.state is State.READY else _of(job)
    if await _end(connection, which, State.FAILED, why, now) and why is Why.GONE:
        await _forget_whose(connection, keys, _table.c.id == job.id)


async def cancel(connection: AsyncConnection, job: Job, now: datetime) -> bool:
    """Let nothing come of it, made or not; False where it had ended."""
    standing = and_(_table.c.id == job.id, _table.c.state.in_(STANDING))
    return await _end(connection, standing, State.CANCELLED, None, now)


async def claim(connection: AsyncConnection, job: Job, reader: str, now: datetime) -> bool:
    """Keep it for *reader* until it is told: of two who come at once one gets it.

    A lease: where the telling fails, or its process ends, it is there again.
    """
    free = or_(_table.c.lease_until.is_(None), _table.c.lease_until <= now)
    ready = and_(_ready(job), free, _table.c.ended_at > now - LIFE)
    return await _change(connection, ready, {"maker": reader, "lease_until": now + LEASE})


async def unclaim(connection: AsyncConnection, job: Job, reader: str) -> None:
    """Nothing was told: whoever asks next gets it."""
    theirs = and_(_ready(job), _table.c.maker == reader)
    await _change(connection, theirs, {"maker": None, "lease_until": None})


async def fetch(connection: AsyncConnection, job: Job, reader: str, now: datetime) -> bool:
    """It was told, and goes to *reader* alone; False where somebody else has it, or it ended."""
    theirs = and_(_ready(job), _table.c.maker == reader)
    values = {"state": State.FETCHED, "fetched_at": now, "lease_until": now + HANDING}
    return await _change(connection, theirs, values)


async def renew(connection: AsyncConnection, job: Job, now: datetime) -> bool:
    """Keep it while its reader reads; False where that took too long, or it ended meanwhile."""
    held = and_(_handed(job), _table.c.lease_until > now)
    return await _change(connection, held, {"lease_until": now + HANDING})


async def close(connection: AsyncConnection, job: Job) -> None:
    """Its reader has it, or went: nobody gets these bytes any more."""
    await _change(connection, _handed(job), {"maker": None, "lease_until": None})
    await dropping.drop(connection, [job.id])


async def piece(connection: AsyncConnection, job: Job, n: int) -> bytes | None:
    """Of what may be handed over: what ended may be deleted only later."""
    open_to_read = select(_table.c.id).where(
        _table.c.id == job.id, _table.c.state.in_((State.READY, State.FETCHED))
    )
    query = select(desk_export_piece.c.sealed).where(
        desk_export_piece.c.export.in_(open_to_read), desk_export_piece.c.n == n
    )
    return (await connection.execute(query)).scalar()


async def let_go(
    connection: AsyncConnection, keys: RowKeys, subjects: Collection[str], now: datetime
) -> None:
    """End the exports of people who are erased, and delete that they were theirs."""
    theirs = among(_table.c.subject, subjects)
    query = select(_table.c.id).where(theirs).order_by(_table.c.id).with_for_update()
    these = among(_table.c.id, list((await connection.execute(query)).scalars()))
    await _end(connection, these, State.FAILED, Why.GONE, now)
    await _forget_whose(connection, keys, these)


async def _forget_whose(connection: AsyncConnection, keys: RowKeys, which: Any) -> None:
    """Delete that it was somebody's, and why they were looked at: both are signed."""
    for row in (await connection.execute(select(_table).where(which))).all():
        values: dict[str, Any] = {"subject": None, "why": None}
        if SIGNED.fits(keys, row):
            said = {name: getattr(row, name) for name in _SIGNED} | values
            values |= keys.sign(_table.name, *said.values())._asdict()
        await connection.execute(update(_table).where(_table.c.id == row.id).values(values))


async def forget(connection: AsyncConnection, now: datetime) -> None:
    """Delete some of the bytes that nobody gets; after a month, that there were any."""
    late = and_(_table.c.state == State.READY, _table.c.ended_at <= now - LIFE)
    await connection.execute(update(_table).where(late).values(state=State.OVER))
    await dropping.drop(connection, await ended(connection, now))
    over = and_(_table.c.state.not_in((State.WAITS, State.MAKING)), _table.c.asked_at < now - KEPT)
    await delete_free(connection, _table, over)


async def ended(connection: AsyncConnection, now: datetime) -> list[str]:
    """Of which there are bytes that nobody gets any more; none of them ever comes back."""
    query = select(desk_export_piece.c.export).distinct()
    left = [row.export for row in await connection.execute(query)]
    rows = await connection.execute(select(_table).where(among(_table.c.id, left)))
    kept = {row.id for row in rows if row.state in STANDING or _is_fetching(row, now)}
    return [name for name in left if name not in kept]


def _is_fetching(row: Any, now: datetime) -> bool:
    until = row.lease_until if row.state == State.FETCHED else None
    return until is not None and until > now


def _of(job: Job) -> Any:
    """While it is ours."""
    return and_(_table.c.id == job.id, _table.c.state == State.MAKING, _table.c.maker == job.maker)


def _handed(job: Job) -> Any:
    """While its reader has it."""
    return and_(_table.c.id == job.id, _table.c.state == State.FETCHED, _table.c.maker == job.maker)


def _ready(job: Job) -> Any:
    return and_(_table.c.id == job.id, _table.c.state == State.READY)


async def _by_maker(connection: AsyncConnection, job: Job, values: Mapping[str, object]) -> bool:
    return await _change(connection, _of(job), values)


async def _change(connection: AsyncConnection, which: Any, values: Mapping[str, object]) -> bool:
    return (await connection.execute(update(_table).where(which).values(values))).rowcount == 1


async def _end(
    connection: AsyncConnection, which: Any, state: State, why: Why | None, now: datetime
) -> bool:
    values = {"state": state, "reason": why, "ended_at": now, "maker": None, "lease_until": None}
    names = select(_table.c.id).where(which)
    those = list((await connection.execute(names.with_for_update())).scalars())
    await connection.execute(
        update(_table).where(among(_table.c.id, those)).values(values | {"size": 0, "pieces": 0})
    )
    await dropping.drop(connection, those)
    return bool(those)


async def _again(connection: AsyncConnection, keys: RowKeys, name: str) -> Job | None:
    row = (await connection.execute(select(_table).where(_table.c.id == name))).first()
    return None if row is None else _read(keys, row)


def _read(keys: RowKeys, row: Any) -> Job | None:
    if not SIGNED.fits(keys, row):
        return None
    values = {name: getattr(row, name) for name in _COLUMNS}
    try:
        return Job(**values | {"state": State(row.state)})
    except ValueError:
        return None
