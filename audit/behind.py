"""What a verification that goes on from an earlier one still sees of the entries before it.

Their number, every stored hash of a full subtree, and so that these give the root that was
verified; and of some subtrees that the dice choose each entry, byte for byte. An entry that was
altered elsewhere, beside its own row alone, is seen by a verification of all of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import nodes, reading, tree
from audit.errors import LogDamaged
from audit.report import Since
from audit.rowmac import RowMacs
from audit.tables import audit_entry, audit_node
from audit.tree import STORED_LEVELS
from storage.database import Database
from storage.sound import sound

TILES = 64  # subtrees of 256 entries that are read again each time
_WIDE = 1 << STORED_LEVELS

Dice = Callable[[int], int]


async def unaltered(
    data: Database, macs: RowMacs, base: int, since: Since, dice: Dice = secrets.randbelow
) -> bool:
    """Say whether nothing of that shows that the entries before *since* are others now."""
    if not await _are_all_there(data, base, since) or not await _fit(data, base, since.size):
        return False
    tiles = since.size // _WIDE
    few = range(tiles) if tiles <= TILES else sorted({dice(tiles) for _ in range(TILES)})
    for tile in few:
        if not await _is_as_it_was(data, macs, base, tile):
            return False
    return True


async def _are_all_there(data: Database, base: int, since: Since) -> bool:
    place = audit_entry.c.leaf_index
    query = select(func.count()).where(place >= base, place < base + since.size, sound(audit_entry))
    async with data.read() as connection:
        if (await connection.execute(query)).scalar_one() != since.size:
            return False
        try:
            frontier = await nodes.frontier_at(connection, since.size, base)
        except LogDamaged:
            return False
    return frontier.root == since.root


async def _fit(data: Database, base: int, size: int) -> bool:
    """Each stored hash above the lowest is that of those below it."""
    for level in reading.NODE_LEVELS[1:]:
        for at in range(base >> level, (base + size) >> level):
            async with data.read() as connection:
                (whole,) = await _stored(connection, level, at, at + 1) or [b""]
                parts = await _stored(connection, level - STORED_LEVELS, at * _WIDE, _end(at))
            if len(parts) != _WIDE or tree.full(parts) != whole:
                return False
    return True


def _end(at: int) -> int:
    return (at + 1) * _WIDE


async def _stored(connection: AsyncConnection, level: int, start: int, end: int) -> list[bytes]:
    """The stored hashes of a level, by position."""
    position = audit_node.c.position
    query = select(audit_node.c.hash).where(audit_node.c.level == level, sound(audit_node))
    query = query.where(position >= start, position < end).order_by(position)
    return list((await connection.execute(query)).scalars())


async def _is_as_it_was(data: Database, macs: RowMacs, base: int, tile: int) -> bool:
    start = tile * _WIDE
    async with data.read() as connection:
        rows = await reading.entries(connection, base, start, start + _WIDE)
        stored = await reading.nodes(connection, base, start, start + _WIDE)
    leaves = [sha256(b"\x00" + row.entry).digest() for row in rows]
    whole = len(rows) == _WIDE and tree.full(leaves) == stored.get((STORED_LEVELS, tile))
    return whole and all(map(macs.logged, rows)) and leaves == [row.leaf_hash for row in rows]
