"""Writing about somebody without holding their gate, and waiting until nobody does.

Who asks about somebody takes no gate: asking often must not keep anybody from leaving.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import gates
from consent.gates import Gate, gate_of, subject
from consent.model import SubjectState
from storage import locks
from storage.types import among


async def free(connection: AsyncConnection, subjects: Iterable[str]) -> dict[str, Gate]:
    """As `gates.lock`, without those whom somebody shares: of them more may be to come."""
    held = await gates.lock(connection, subjects)
    query = select(subject.c.id).where(among(subject.c.id, held)).order_by(subject.c.id)
    # FOR UPDATE goes with nobody. Waiting would hold up a page of others, and whoever asks.
    alone = set((await connection.execute(query.with_for_update(skip_locked=True))).scalars())
    unseen = await locks.alone_with(connection, {_look(one) for one in alone})
    return {one: held[one] for one in sorted(alone) if _look(one) in unseen}


async def look(connection: AsyncConnection, subjects: Collection[str]) -> dict[str, Gate]:
    """As `share`, for whoever writes no more than that they looked: their gates are not touched."""
    held = {one for one in sorted(subjects) if await locks.share_one(connection, _look(one))}
    found = await gates.peek(connection, subjects)
    # Whose end is just being written is not live any more in a statement after that.
    return {one: gate for one, gate in found.items() if one in held or not gate.live}


def _look(subject: str) -> str:
    return f"a look at {subject}"


async def share(connection: AsyncConnection, subjects: Collection[str]) -> dict[str, Gate]:
    """As `gates.peek`, and who is live is not removed before this transaction ends (`free`).

    For whoever writes something about them without their gate. It keeps nobody from the gates:
    asking often must not keep anybody from leaving.
    """
    live = subject.c.state == literal_column(f"'{SubjectState.LIVE}'")
    query = select(subject).where(among(subject.c.id, subjects), live).order_by(subject.c.id)
    # FOR KEY SHARE, which goes with FOR NO KEY UPDATE. Not of who is being erased: nothing is
    # said of them any more, and nobody must put off their end by asking about them.
    rows = await connection.execute(query.with_for_update(read=True, key_share=True))
    shared = {row.id: gate_of(row) for row in rows}
    gone = set(subjects) - shared.keys()
    return shared | (await gates.peek(connection, gone) if gone else {})
