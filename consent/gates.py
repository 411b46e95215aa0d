"""The gate: one row per person, locked by whatever grants or ends a permission.

Always exclusively: shared holders would starve a withdrawal and let two claims
pass one frequency cap. Whoever locks several does so in the order of their
ids, and never locks an outbox row while holding one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeGuard

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Place
from consent import tables
from consent.keys.vault import Compartment, Vault
from consent.model import SubjectState
from storage.honesty import RowKeys, Value
from storage.types import among, upsert

subject = tables.subject


@dataclass(frozen=True, slots=True)
class Gate:
    """A person's row. Holding one from `lock` means holding the lock."""

    subject: str
    state: SubjectState
    locale: str
    restricted_at: datetime | None
    objected_at: datetime | None
    suppressed: str | None
    asking_blocked_at: datetime | None
    address: bytes | None  # sealed
    profile: bytes | None  # sealed
    place: Place
    index: bytes | None = None  # by which the address is found
    kid: int | None = None
    mac: bytes | None = None

    def is_honest(self, keys: RowKeys) -> bool:
        """Say whether a gateway wrote state, index and stops of this row."""
        return keys.fits(subject.name, self.kid, self.mac, *_granting(self))

    def gone(self, keys: RowKeys) -> bool:
        """Whether their erasure has begun, as a gateway wrote it.

        What somebody else wrote ends nothing: it could be undone, and who left
        meanwhile would have been told so and be mailed again.
        """
        return not self.live and self.is_honest(keys)

    @property
    def live(self) -> bool:
        """Whether the person is still here: not being erased, and not erased."""
        return self.state is SubjectState.LIVE


def usable(
    gate: Gate | None, vault: Vault, compartment: Compartment, *others: Compartment
) -> TypeGuard[Gate]:
    """Whether an act may seal and open for this person: they are live, and the keys are there.

    Name the compartments that the act needs. A vault may be older than the
    gate's lock, so it alone does not say that nobody is erasing the person.
    """
    return gate is not None and gate.live and vault.has(gate.subject, compartment, *others)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person who was never heard of; keys exist already."""

    subject: str
    blind_index: bytes
    address: bytes  # sealed
    locale: str


async def find(connection: AsyncConnection, blind_indexes: Iterable[object]) -> dict[bytes, str]:
    """Subjects by blind index; nothing is locked."""
    # What is no bytes, in a row that somebody wrote, would fail the look for everybody.
    known = {index for index in blind_indexes if isinstance(index, bytes)}
    query = select(subject.c.blind_index, subject.c.id).where(subject.c.blind_index.in_(known))
    return {row.blind_index: row.id for row in await connection.execute(query)}


async def admit(
    connection: AsyncConnection, keys: RowKeys, newcomers: Sequence[Newcomer], now: datetime
) -> set[str]:
    """Make gates and return the subjects that are new; an index that exists keeps its subject."""
    if not newcomers:
        return set()
    rows = [
        {
            "id": newcomer.subject,
            "state": SubjectState.LIVE,
            "blind_index": newcomer.blind_index,
            "address": newcomer.address,
            "locale": newcomer.locale,
            "created_at": now,
            "trail_length": 0,
            **keys.sign(
                subject.name, newcomer.subject, SubjectState.LIVE, newcomer.blind_index, *_NO_STOPS
            )._asdict(),
        }
        for newcomer in newcomers
    ]
    # Who was admitted since the look by somebody else stays who they are; the keys that were
    # made for this name are swept.
    statement = upsert(connection, subject).on_conflict_do_nothing().returning(subject.c.id)
    return set((await connection.execute(statement, rows)).scalars())


async def lock(connection: AsyncConnection, subjects: Iterable[str]) -> dict[str, Gate]:
    """Lock the gates of *subjects*, in order; who does not exist is missing.

    Read every fact in a later statement: one that waited for a lock sees the
    other tables as they were before its wait.
    """
    wanted = list(subjects)
    if not wanted:
        return {}
    # In one order: two that lock the same people the other way round wait for each other.
    query = select(subject).where(among(subject.c.id, wanted)).order_by(subject.c.id)
    # FOR NO KEY UPDATE: FOR UPDATE would also hold up whoever writes a row that only names them.
    rows = await connection.execute(query.with_for_update(key_share=True))
    return {row.id: _gate(row) for row in rows}


async def peek(connection: AsyncConnection, subjects: Iterable[str]) -> dict[str, Gate]:
    """The same rows without a lock, for advice only."""
    query = select(subject).where(among(subject.c.id, subjects))
    return {row.id: _gate(row) for row in await connection.execute(query)}


async def after(connection: AsyncConnection, last: str, limit: int) -> list[str]:
    """The next subjects by id, for whoever checks them all."""
    query = select(subject.c.id).where(subject.c.id > last).order_by(subject.c.id).limit(limit)
    return list((await connection.execute(query)).scalars())


async def advance(connection: AsyncConnection, places: Sequence[Place]) -> None:
    """Store where each trail stands after this transaction's events."""
    if not places:
        return
    statement = (
        update(subject)
        .where(subject.c.id == bindparam("of"))
        .values(trail_length=bindparam("length"), trail_last=bindparam("last"))
    )
    rows = [{"of": place.subject, "length": place.length, "last": place.last} for place in places]
    await connection.execute(statement, rows)


async def object_to(
    connection: AsyncConnection, keys: RowKeys, held: Iterable[Gate], now: datetime
) -> dict[str, Gate]:
    """Record objections (Art. 21 GDPR): no purpose may be mailed from here on.

    The first one stands: what is kept of an objection ends counted from it, repeated or not.
    """
    return await _restate(
        connection,
        keys,
        [(gate, replace(gate, objected_at=gate.objected_at or now)) for gate in held],
    )


async def block_asking(
    connection: AsyncConnection, keys: RowKeys, held: Iterable[Gate], now: datetime
) -> dict[str, Gate]:
    """End the confirmation mails that wait for these people; the claim looks at this moment.

    The last one stands: it ends what was queued up to then, also since the one before.
    """
    return await _restate(
        connection, keys, [(gate, replace(gate, asking_blocked_at=now)) for gate in held]
    )


async def begin_erasure(
    connection: AsyncConnection, keys: RowKeys, held: Iterable[Gate]
) -> dict[str, Gate]:
    """Let go of people whose gates are held: from here nobody finds, mails or asks them."""
    erasing = SubjectState.ERASING
    # Without an index they are not found: who signs up again is somebody new, with new keys.
    return await _restate(
        connection, keys, [(gate, replace(gate, state=erasing, index=None)) for gate in held]
    )


async def _restate(
    connection: AsyncConnection, keys: RowKeys, changes: Sequence[tuple[Gate, Gate]]
) -> dict[str, Gate]:
    """Store state, index and stops of held gates, and return the gates as they are now.

    A row that no gateway wrote is stopped like any other and stays dishonest:
    signing it would hide what was done to it.
    """
    signed = []
    for old, new in changes:
        if old.is_honest(keys):
            signed.append(replace(new, **keys.sign(subject.name, *_granting(new))._asdict()))
        else:
            await _stop(connection, old, new)
    if signed:
        await _write(connection, signed)
    return {new.subject: new for _, new in changes} | {gate.subject: gate for gate in signed}


async def _stop(connection: AsyncConnection, old: Gate, new: Gate) -> None:
    """Write only what changes: what stands beside it may be of any type, and cannot be written."""
    attributes = {name: _ATTRIBUTES.get(name, name) for name in _STATED}
    values = {
        column: getattr(new, name)
        for column, name in attributes.items()
        if getattr(new, name) != getattr(old, name)
    }
    if values:
        statement = update(subject).where(subject.c.id == new.subject)
        await connection.execute(statement.values(values))


async def _write(connection: AsyncConnection, stated: Sequence[Gate]) -> None:
    columns = (*_STATED, "kid", "mac")
    values = {name: bindparam(f"new_{name}", type_=subject.c[name].type) for name in columns}
    statement = update(subject).where(subject.c.id == bindparam("of")).values(values)
    rows = [
        {
            "of": gate.subject,
            "new_state": gate.state,
            "new_blind_index": gate.index,
            "new_objected_at": gate.objected_at,
            "new_suppressed": gate.suppressed,
            "new_asking_blocked_at": gate.asking_blocked_at,
            "new_kid": gate.kid,
            "new_mac": gate.mac,
        }
        for gate in stated
    ]
    await connection.execute(statement, rows)


_STATED = ("state", "blind_index", "objected_at", "suppressed", "asking_blocked_at")
_ATTRIBUTES = {"blind_index": "index"}  # where they are not named as their column is
_NO_STOPS = (None, None, None, None)
_LONGEST_TRAIL = 2**31 - 1  # what the column holds
_COMMITMENT = 44  # as text


def granting_of(row: Any) -> tuple[Value, ...]:
    """What is signed of a row as the database gives it."""
    return _granting(_gate(row))


def _granting(gate: Gate) -> tuple[Value, ...]:
    """What the MAC of a row covers: who it is, and what permits or stops. No trail, no profile."""
    stops = (gate.restricted_at, gate.objected_at, gate.suppressed, gate.asking_blocked_at)
    return (gate.subject, gate.state, gate.index, *stops)


async def erasing(connection: AsyncConnection, after: str, limit: int) -> list[str]:
    """The next people by id whose erasure has begun and not ended."""
    query = select(subject.c.id).where(subject.c.state == SubjectState.ERASING)
    query = query.where(subject.c.id > after).order_by(subject.c.id).limit(limit)
    return list((await connection.execute(query)).scalars())


async def named(connection: AsyncConnection, subjects: Iterable[str]) -> set[str]:
    """Which of these people the data still knows, in whatever state."""
    query = select(subject.c.id).where(among(subject.c.id, subjects))
    return set((await connection.execute(query)).scalars())


async def suppress(
    connection: AsyncConnection, keys: RowKeys, held: Iterable[Gate], why: str
) -> dict[str, Gate]:
    """Mail these people nothing more: their mailbox refused for good, or complained."""
    return await _restate(
        connection,
        keys,
        [(gate, replace(gate, suppressed=gate.suppressed or why)) for gate in held],
    )


async def set_profile(
    connection: AsyncConnection, subject_id: str, locale: str, sealed: bytes | None
) -> None:
    """Replace what is known of a person; only a confirmation may."""
    statement = update(subject).where(subject.c.id == subject_id)
    await connection.execute(statement.values(profile=sealed, locale=locale))


def _gate(row: Any) -> Gate:
    return Gate(
        subject=row.id,
        state=_state(row.state),
        locale=row.locale,
        restricted_at=row.restricted_at,
        objected_at=row.objected_at,
        suppressed=row.suppressed,
        asking_blocked_at=row.asking_blocked_at,
        address=row.address,
        profile=row.profile,
        place=_place(row),
        index=row.blind_index,
        kid=row.kid,
        mac=row.mac,
    )


def _place(row: Any) -> Place:
    """Where the trail stands; at its beginning where the row says nothing that we wrote.

    A trail with a hole shows it. An event that could not be written would keep
    everybody of its transaction from what they asked for.
    """
    length, last = row.trail_length, row.trail_last
    known = isinstance(length, int) and 0 <= length < _LONGEST_TRAIL
    fits = isinstance(last, str) and len(last) <= _COMMITMENT
    return Place(row.id, length if known else 0, last if fits else None)


def _state(stored: Any) -> SubjectState:
    # Raising would end whoever reads many people for the sake of one row.
    try:
        return SubjectState(stored)
    except ValueError:
        return SubjectState.ALTERED
