"""Writing about somebody without holding their gate, and waiting until nobody does.

Who asks about somebody takes no gate: asking often must not keep anybody from leaving.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent import gates
from consent.gates import Gate, subject
from consent.model import SubjectState
from storage import locks, straight
from storage.types import ByNames, among, texts
from storage.writing import While

_LIVE = subject.c.state == literal_column(f"'{SubjectState.LIVE}'")
# FOR KEY SHARE, which goes with FOR NO KEY UPDATE. Not of who is being erased: nothing is
# said of them any more, and nobody must put off their end by asking about them.
_SHARED = (
    select(subject)
    .where(among(subject.c.id, texts("subjects")), _LIVE)
    .order_by(subject.c.id)
    .with_for_update(read=True, key_share=True)
)
_AGAIN = subject.alias()
_STAYING = ByNames(
    select(subject.c.id).where(_LIVE).with_for_update(read=True, key_share=True, skip_locked=True),
    subject.c.id,
)


def while_live(subjects: Collection[str], until: datetime | None = None) -> While | None:
    """What must be so to write about these people, who are not removed until it is written.

    As `share` it keeps nobody from the gates. It waits for nobody: of somebody who is just being
    removed it is not so. Then `share` them, or `look`, and write what is so then. Nor is it so
    after *until*, by PostgreSQL's clock.
    """
    wanted = [*set(subjects)]
    if wanted:
        return While(*_STAYING.of(wanted), len(wanted), until)
    return None if until is None else While(until=until)


async def free(connection: AsyncConnection, subjects: Iterable[str]) -> dict[str, Gate]:
    """As `gates.lock`, without those whom somebody shares: of them more may be to come."""
    held = await gates.lock(connection, subjects)
    # Whoever planted a person's row once more has each asker lock any of them.
    all_of = select(func.count()).where(_AGAIN.c.id == subject.c.id).scalar_subquery()
    query = select(subject.c.id, all_of).where(among(subject.c.id, held)).order_by(subject.c.id)
    # FOR UPDATE goes with nobody. Waiting would hold up a page of others, and whoever asks.
    query = query.with_for_update(of=subject, skip_locked=True)
    locked = Counter(map(tuple, await connection.execute(query)))
    alone = {one for (one, rows), ours in locked.items() if ours == rows}
    unseen = await locks.alone_with(connection, {_look(one) for one in alone})
    return {one: held[one] for one in sorted(alone) if _look(one) in unseen}


async def look(connection: AsyncConnection, subjects: Collection[str]) -> dict[str, Gate]:
    """As `share`, for whoever writes no more than that they looked: their gates are not touched."""
    if not subjects:
        return {}
    held = await locks.share_all(connection, {_look(one) for one in subjects})
    found = await gates.peek(connection, subjects)
    # Whose end is just being written is not live any more in a statement after that.
    return {one: gate for one, gate in found.items() if _look(one) in held or not gate.live}


def _look(subject: str) -> str:
    return f"a look at {subject}"


async def share(connection: AsyncConnection, subjects: Collection[str]) -> dict[str, Gate]:
    """As `gates.peek`, and who is live is not removed before this transaction ends (`free`).

    For whoever writes something about them without their gate. It keeps nobody from the gates:
    asking often must not keep anybody from leaving.
    """
    if not subjects:
        return {}
    shared = gates.read(await straight.rows(connection, _SHARED, {"subjects": subjects}))
    gone = set(subjects) - shared.keys()
    return shared | (await gates.peek(connection, gone) if gone else {})
