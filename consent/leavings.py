"""Who left while their key was missing: their own row names the event, which names nobody.

Without the key nothing can be sealed, and nobody can read what there is to leave. Rows
that are away at that moment, and the key, may be back when mails go out; then this is what
tells that they left. It goes with the row: the log alone leads to no person, ever.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor, Kind
from consent import gates, tables
from consent.gates import Gate
from consent.trail import Trail
from storage.errors import PartAway
from storage.honesty import RowKeys

_SIGNED = "subject.left_unread"
_UNREADABLE = (ValueError, TypeError, KeyError, OverflowError, RecursionError)
_EPOCH, _TICK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_MOST = 100  # whoever says it again is told that the key store is away

Acting = tuple[Actor, Mapping[str, str]]  # who said it, and how the event names who passed it on


@dataclass(frozen=True, slots=True)
class Left:
    """One word of somebody who left; *purpose* None: all of them."""

    eid: bytes
    purpose: str | None
    at: datetime

    def ends(self, purpose: str, since: datetime) -> bool:
        """Whether it ended what of *purpose* is as it was *since* then, by the time of entries."""
        return self.purpose in (None, purpose) and self.at >= since


def of(gate: Gate) -> tuple[Left, ...]:
    """What the row says, whoever wrote it: what is said so only takes away."""
    try:
        return tuple(_left(one) for one in _read(gate)["left"])
    except _UNREADABLE:
        return ()


def is_ours(keys: RowKeys, gate: Gate) -> bool:
    """Say whether a gateway wrote what the row says of this."""
    if gate.left_unread is None:
        return True
    try:
        stored = _read(gate)
        mac = bytes.fromhex(stored["mac"])
        return keys.fits(_SIGNED, stored["kid"], mac, (gate.subject, _text(stored["left"])))
    except _UNREADABLE:
        return False


async def note(
    connection: AsyncConnection,
    keys: RowKeys,
    trail: Trail,
    held: Mapping[str, Gate],
    said: Mapping[tuple[str, str | None], Acting],
    now: datetime,
) -> None:
    """Keep what was *said*, by subject and purpose, under their gates, and tell the log of it.

    `PartAway` where somebody said more than their row has room for.
    """
    for subject in {subject for subject, _ in said}:
        left = list(of(held[subject])) if is_ours(keys, held[subject]) else []
        for (who, purpose), (actor, refs) in said.items():
            if who == subject:
                eid = trail.record_unnamed(Kind.CONSENT_LEFT, who, purpose, actor, now, refs)
                left.append(Left(eid, purpose, now))
        if len(left) > _MOST:
            raise PartAway("key store")
        row = tables.subject
        statement = update(row).where(row.c.id == subject)
        await connection.execute(statement.values(left_unread=_written(keys, subject, left)))


async def noted(connection: AsyncConnection) -> list[Gate]:
    """Everybody whose row says that they left so."""
    query = select(tables.subject).where(tables.subject.c.left_unread.is_not(None))
    return [gates.gate_of(row) for row in await connection.execute(query)]


async def sign_anew(connection: AsyncConnection, keys: RowKeys, old: int) -> int:
    """Sign what a key signed of this, and only that, with the one that makes rows now; how many."""
    row = tables.subject
    query = select(row).where(row.c.left_unread.is_not(None)).order_by(row.c.id)
    people = [
        gates.gate_of(one)
        for one in await connection.execute(query.with_for_update(key_share=True, skip_locked=True))
    ]
    under = [gate for gate in people if _is_under(keys, gate, old)]
    for gate in under:
        statement = update(row).where(row.c.id == gate.subject)
        written = _written(keys, gate.subject, of(gate))
        await connection.execute(statement.values(left_unread=written))
    return len(under)


async def need(connection: AsyncConnection, keys: RowKeys, old: int) -> bool:
    """Whether there is any of this that a gateway signed with that key."""
    return any(_is_under(keys, gate, old) for gate in await noted(connection))


def _is_under(keys: RowKeys, gate: Gate, old: int) -> bool:
    try:
        return _read(gate)["kid"] == old and is_ours(keys, gate)
    except _UNREADABLE:
        return False


def count(keys: RowKeys, people: Collection[Gate]) -> dict[str, str]:
    """For the event that these people's rows are gone: how many words went with them."""
    gone = sum(len(of(gate)) for gate in people if is_ours(keys, gate))
    return {"leavings": str(gone)} if gone else {}


def _written(keys: RowKeys, subject: str, left: Iterable[Left]) -> bytes:
    said = [[one.eid.hex(), one.purpose, _moment(one.at)] for one in left]
    kid, mac = keys.sign(_SIGNED, subject, _text(said))
    return json.dumps({"kid": kid, "left": said, "mac": mac.hex()}).encode()


def _moment(at: datetime) -> int:
    """In milliseconds, as entries count them."""
    return (at - _EPOCH) // _TICK


def _text(said: Any) -> str:
    return json.dumps(said, separators=(",", ":"))


def _read(gate: Gate) -> Any:
    return json.loads(gate.left_unread or b'{"left": []}')


def _left(said: Any) -> Left:
    eid, purpose, at = said
    return Left(bytes.fromhex(eid), purpose, _EPOCH + at * _TICK)
