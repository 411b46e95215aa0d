"""The gate: one row per person, locked by whatever grants or ends a permission.

Always exclusively: shared holders would starve a withdrawal and let two claims
pass one frequency cap. Whoever locks several does so in the order of their
ids, and never locks an outbox row while holding one.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeGuard

from sqlalchemy import delete, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Place
from consent import tables
from consent.keys.vault import Compartment, Vault
from consent.lookup import LookUp
from consent.model import SubjectState
from storage import paging, straight
from storage.honesty import RowKeys, Value
from storage.sound import tuples
from storage.types import among, texts
from storage.writing import insert_all, update_all

subject = tables.subject
# In the place of a stop, of who is erased at their own request: a row of that request tells until
# when something stays, and while it is away nothing of them is destroyed that is locked.
ASKED = "asked"
# In one order: two that lock the same people the other way round wait for each other.
# FOR NO KEY UPDATE: FOR UPDATE would also hold up whoever writes a row that only names them.
_LOCK = (
    select(subject)
    .where(among(subject.c.id, texts("subjects")))
    .order_by(subject.c.id)
    .with_for_update(key_share=True)
)
_PEEK = select(subject).where(among(subject.c.id, texts("subjects")))


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
    kid: int | None = None
    mac: bytes | None = None
    left_unread: bytes | None = field(default=None, repr=False)  # see `leavings`
    going: bytes | None = field(default=None, repr=False)  # see `going`

    def is_honest(self, keys: RowKeys) -> bool:
        """Say whether a gateway wrote state and stops of this row."""
        return keys.fits(subject.name, self.kid, self.mac, _granting(self))

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
    canonical: str = field(repr=False)
    address: bytes  # sealed
    locale: str


async def admit(
    connection: AsyncConnection,
    keys: RowKeys,
    lookup: LookUp,
    newcomers: Sequence[Newcomer],
    now: datetime,
) -> dict[str, Gate]:
    """Make gates and return those that are new, held; what is somebody's address stays theirs."""
    if not newcomers:
        return {}
    fresh = {newcomer.subject: _fresh(newcomer, keys) for newcomer in newcomers}
    rows = [
        {
            "id": gate.subject,
            "state": gate.state,
            "address": gate.address,
            "locale": gate.locale,
            "created_at": now,
            "trail_length": gate.place.length,
            "kid": gate.kid,
            "mac": gate.mac,
        }
        for gate in fresh.values()
    ]
    # Nobody sees these rows before this transaction ends: that is their lock.
    await insert_all(connection, subject, rows)
    theirs = {newcomer.subject: newcomer.canonical for newcomer in newcomers}
    admitted = await lookup.add(connection, theirs)
    # Who was admitted since the look by somebody else stays who they are; the keys that were
    # made for this name are swept.
    if late := theirs.keys() - admitted:
        await connection.execute(delete(subject).where(among(subject.c.id, late)))
    return {name: gate for name, gate in fresh.items() if name in admitted}


def _fresh(newcomer: Newcomer, keys: RowKeys) -> Gate:
    gate = Gate(
        newcomer.subject,
        SubjectState.LIVE,
        newcomer.locale,
        restricted_at=None,
        objected_at=None,
        suppressed=None,
        asking_blocked_at=None,
        address=newcomer.address,
        profile=None,
        place=Place(newcomer.subject, 0, None),
    )
    return replace(gate, **keys.sign(subject.name, *_granting(gate))._asdict())


async def lock(connection: AsyncConnection, subjects: Iterable[str]) -> dict[str, Gate]:
    """Lock the gates of *subjects*, in order; who does not exist is missing.

    Read every fact in a later statement: one that waited for a lock sees the
    other tables as they were before its wait.
    """
    wanted = list(subjects)
    if not wanted:
        return {}
    return read(await straight.rows(connection, _LOCK, {"subjects": wanted}))


async def peek(connection: AsyncConnection, subjects: Iterable[str]) -> dict[str, Gate]:
    """The same rows without a lock, for advice only."""
    return read(await straight.rows(connection, _PEEK, {"subjects": subjects}))


def read(rows: Iterable[Any]) -> dict[str, Gate]:
    """Whole rows of people, by whose they are."""
    return {row.id: gate_of(row) for row in tuples(rows, subject)}


async def after(connection: AsyncConnection, last: str | None, limit: int) -> list[str]:
    """The next subjects by id, for whoever checks them all."""
    query = paging.by_name(select(subject.c.id), subject.c.id, last, limit)
    return list((await connection.execute(query)).scalars())


async def advance(connection: AsyncConnection, places: Sequence[Place]) -> None:
    """Store where each trail stands after this transaction's events."""
    rows = [
        {"id": place.subject, "trail_length": place.length, "trail_last": place.last}
        for place in places
    ]
    await update_all(connection, subject, rows)


async def object_to(
    connection: AsyncConnection, keys: RowKeys, since: Iterable[tuple[Gate, datetime]]
) -> dict[str, Gate]:
    """Record objections (Art. 21 GDPR) that stand *since* then: no purpose may be mailed.

    Give the moment of the first one: what is kept of an objection ends counted from it.
    """
    changes = [(gate, replace(gate, objected_at=at)) for gate, at in since]
    return await restate(connection, keys, changes)


async def block_asking(
    connection: AsyncConnection, keys: RowKeys, held: Iterable[Gate], now: datetime
) -> dict[str, Gate]:
    """End the confirmation mails that wait for these people; the claim looks at this moment.

    The last one stands: it ends what was queued up to then, also since the one before.
    """
    return await restate(
        connection, keys, [(gate, replace(gate, asking_blocked_at=now)) for gate in held]
    )


async def begin_erasure(
    connection: AsyncConnection, keys: RowKeys, held: Iterable[Gate], asked: Container[str] = ()
) -> dict[str, Gate]:
    """Let go of people whose gates are held: from here nobody mails or asks them.

    Signed whatever stood in their rows: what is signed is that nothing is
    permitted, and only an erasure that a gateway began may destroy their keys.
    """
    # Without stops, for those may be of any type, and nothing is left that they could stop.
    going = [
        replace(
            gate,
            state=SubjectState.ERASING,
            restricted_at=None,
            objected_at=None,
            suppressed=ASKED if gate.subject in asked else None,
            asking_blocked_at=None,
        )
        for gate in held
    ]
    return await _sign(connection, keys, going) if going else {}


async def end_erasure(
    connection: AsyncConnection, keys: RowKeys, held: Iterable[Gate]
) -> dict[str, Gate]:
    """Leave of people what their locked evidence hangs on: the row, without address and profile."""
    going = [replace(gate, state=SubjectState.ERASED) for gate in held]
    if not going:
        return {}
    emptied = update(subject).where(among(subject.c.id, [gate.subject for gate in going]))
    await connection.execute(emptied.values(_NOTHING_KNOWN))
    return await _sign(connection, keys, going)


async def restate(
    connection: AsyncConnection, keys: RowKeys, changes: Sequence[tuple[Gate, Gate]]
) -> dict[str, Gate]:
    """Store state and stops of held gates, and return the gates as they are now.

    A row that no gateway wrote is stopped like any other and stays dishonest:
    signing it would hide what was done to it.
    """
    signed = []
    for old, new in changes:
        if old.is_honest(keys):
            signed.append(new)
        else:
            await _stop(connection, old, new)
    written = await _sign(connection, keys, signed) if signed else {}
    return {new.subject: new for _, new in changes} | written


async def _sign(
    connection: AsyncConnection, keys: RowKeys, stated: Iterable[Gate]
) -> dict[str, Gate]:
    signed = [
        replace(gate, **keys.sign(subject.name, *_granting(gate))._asdict()) for gate in stated
    ]
    await _write(connection, signed)
    return {gate.subject: gate for gate in signed}


async def _stop(connection: AsyncConnection, old: Gate, new: Gate) -> None:
    """Write only what changes: what stands beside it may be of any type, and cannot be written."""
    values = {
        name: getattr(new, name) for name in _STATED if getattr(new, name) != getattr(old, name)
    }
    if values:
        statement = update(subject).where(subject.c.id == new.subject)
        await connection.execute(statement.values(values))


async def _write(connection: AsyncConnection, stated: Sequence[Gate]) -> None:
    columns = (*_STATED, "kid", "mac")
    rows = [
        {"id": gate.subject} | {name: getattr(gate, name) for name in columns} for gate in stated
    ]
    await update_all(connection, subject, rows)


_STATED = ("state", "restricted_at", "objected_at", "suppressed", "asking_blocked_at")
_NOTHING_KNOWN = dict.fromkeys(("address", "profile", "left_unread", "going")) | {
    "locale": "und"  # BCP 47: undetermined
}
_LONGEST_TRAIL = 2**31 - 1  # what the column holds
_COMMITMENT = 44  # as text


def granting_of(row: Any) -> tuple[Value, ...]:
    """What is signed of a row as the database gives it."""
    return _granting(gate_of(row))


def _granting(gate: Gate) -> tuple[Value, ...]:
    """What the MAC of a row covers: who it is, and what permits or stops. No trail, no profile."""
    stops = (gate.restricted_at, gate.objected_at, gate.suppressed, gate.asking_blocked_at)
    return (gate.subject, gate.state, *stops)


async def in_state(
    connection: AsyncConnection, state: SubjectState, after: str | None, limit: int
) -> list[Gate]:
    """The next people by id of whom their rows say that they are being erased, or were."""
    # Spelled out, as the partial indexes have it: a parameter would keep them from being used.
    query = select(subject).where(subject.c.state == literal_column(f"'{state}'"))
    query = paging.by_name(query, subject.c.id, after, limit)
    return [gate_of(row) for row in await connection.execute(query)]


async def named(connection: AsyncConnection, subjects: Iterable[str]) -> set[str]:
    """Which of these people the data still knows, in whatever state."""
    query = select(subject.c.id).where(among(subject.c.id, subjects))
    return set((await connection.execute(query)).scalars())


async def suppress(
    connection: AsyncConnection, keys: RowKeys, held: Iterable[Gate], why: str
) -> dict[str, Gate]:
    """Mail these people nothing more: their mailbox refused for good, or complained."""
    return await restate(
        connection,
        keys,
        [(gate, replace(gate, suppressed=gate.suppressed or why)) for gate in held],
    )


async def set_profile(
    connection: AsyncConnection, subject_id: str, locale: str, sealed: bytes | None
) -> None:
    """Replace what is known of a person; only a confirmation may, and they themselves."""
    statement = update(subject).where(subject.c.id == subject_id)
    await connection.execute(statement.values(profile=sealed, locale=locale))


async def set_address(connection: AsyncConnection, subject_id: str, sealed: bytes) -> None:
    """Mail a person elsewhere from here on; only who holds both mailboxes may say so."""
    statement = update(subject).where(subject.c.id == subject_id)
    await connection.execute(statement.values(address=sealed))


def gate_of(row: Any) -> Gate:
    """A row as the database gives it."""
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
        kid=row.kid,
        mac=row.mac,
        left_unread=row.left_unread,
        going=row.going,
    )


def _place(row: Any) -> Place:
    """Where the trail stands; at its beginning where the row says nothing that we wrote.

    A trail with a hole shows it. An event that could not be written would keep
    everybody of its transaction from what they asked for.
    """
    length, last = row.trail_length, row.trail_last
    known = isinstance(length, int) and 0 <= length < _LONGEST_TRAIL
    is_one = isinstance(last, str) and len(last) <= _COMMITMENT
    return Place(row.id, length if known else 0, last if is_one else None)


def _state(stored: Any) -> SubjectState:
    # Raising would end whoever reads many people for the sake of one row.
    try:
        return SubjectState(stored)
    except ValueError:
        return SubjectState.ALTERED
