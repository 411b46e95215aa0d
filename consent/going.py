"""What of a person who is being erased may go once their keys are gone, noted in their own row.

It goes with the row. Its MAC is its own: it is written without a change of what permits or stops.
"""

from __future__ import annotations

import struct
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import gates, tables
from consent.gates import Gate
from storage.honesty import RowKeys

_SIGNED = "subject.going"
_HEAD = struct.Struct(">I32s")  # the key of the MAC, and the MAC
_GOING = (
    select(tables.subject).where(tables.subject.c.going.is_not(None)).order_by(tables.subject.c.id)
)


async def note(connection: AsyncConnection, keys: RowKeys, gate: Gate, facts: bytes) -> None:
    """Keep which *facts* are theirs; the gate is held, and nobody shares it."""
    signed = keys.sign(_SIGNED, gate.subject, facts)
    row = tables.subject
    statement = update(row).where(row.c.id == gate.subject)
    await connection.execute(statement.values(going=_HEAD.pack(*signed) + facts))


def noted(keys: RowKeys, gate: Gate) -> bytes | None:
    """What `note` kept; None where it was not asked, or somebody else wrote it."""
    stored = gate.going
    if not isinstance(stored, bytes) or len(stored) < _HEAD.size:
        return None
    kid, mac = _HEAD.unpack_from(stored)
    facts = stored[_HEAD.size :]
    return facts if keys.fits(_SIGNED, kid, mac, (gate.subject, facts)) else None


async def sign_anew(connection: AsyncConnection, keys: RowKeys, old: int) -> int:
    """Sign what a key signed of this, and only that, with the one that makes rows now; how many."""
    locked = _GOING.with_for_update(key_share=True, skip_locked=True)
    under = await _under(connection, keys, old, locked)
    for gate, facts in under:
        await note(connection, keys, gate, facts)
    return len(under)


async def need(connection: AsyncConnection, keys: RowKeys, old: int) -> bool:
    """Whether there is any of this that a gateway signed with that key."""
    return bool(await _under(connection, keys, old, _GOING))


async def _under(
    connection: AsyncConnection, keys: RowKeys, old: int, query: Select[Any]
) -> list[tuple[Gate, bytes]]:
    people = [gates.gate_of(one) for one in await connection.execute(query)]
    found = [(gate, gate.going, noted(keys, gate)) for gate in people]
    return [
        (gate, facts)
        for gate, stored, facts in found
        if stored is not None and facts is not None and _HEAD.unpack_from(stored)[0] == old
    ]
