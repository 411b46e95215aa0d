"""The numbers of staged events: in the order of locks, and none that somebody planted a row under.

A planted row stops the sequencer, which names it; it must not stop what stages
events too, or nothing could be done until somebody has looked at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count, islice
from typing import Any, Final

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    TextualSelect,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.tables import audit_pending
from storage import straight
from storage.sound import sound

_MOST = 2**62  # no gateway comes so far
_AT_ONCE = 100_000
# As a number for each, it is looked up in the index; asked whether there is one, PostgreSQL may
# read the whole table.
_TAKEN = "(SELECT count(*) FROM audit_pending WHERE audit_pending.n = drawn.n) AS taken"
_NUMBER = "SELECT nextval('audit_pending_n_seq') AS n"


def _drawing(numbers: str) -> TextualSelect:
    query = text(f"SELECT drawn.n, {_TAKEN} FROM ({numbers}) AS drawn")  # noqa: S608 ours
    return query.columns(n=Integer, taken=Integer)


_DRAWN = _drawing(f"{_NUMBER} FROM generate_series(1, :wanted)")
# PostgreSQL would plan that anew each time, since it cannot know how many they are.
_ONE = _drawing(_NUMBER)
# PostgreSQL's; for `together.Together`, which asks for these beside something else: so many as
# are *wanted*, and one.
NEXT: Final = select(_DRAWN.subquery())
NEXT_ONE: Final = select(_ONE.subquery())
# Also behind what is there: whoever set the counter back would have every insert fail.
_LAST = text("""
    SELECT max(
        coalesce((SELECT max(CAST(seq AS INTEGER)) FROM sqlite_sequence WHERE name = :name), 0),
        coalesce((SELECT CAST(max(n) AS INTEGER) FROM audit_pending), 0)
    ) AS last
""").columns(last=Integer)

_MOVE = text("SELECT setval('audit_pending_n_seq', :floor)")
# SQLite's own; it has no row before the first was inserted.
_counter = Table("sqlite_sequence", MetaData(), Column("name", String), Column("seq", Integer))
_COUNTER = update(_counter)


async def draw(
    connection: AsyncConnection, wanted: int, is_ours: Callable[[Any], bool]
) -> Sequence[int]:
    """*wanted* numbers in order, each given once; draw them when all locks are held.

    *is_ours* says of a staged row whether a gateway wrote it.
    """
    if connection.dialect.name == "postgresql":
        return await _from_the_sequence(connection, wanted)
    # No other transaction writes now; inserting these numbers moves AUTOINCREMENT on.
    ((last,),) = await straight.rows(connection, _LAST, {"name": audit_pending.name})
    if last < _MOST:
        return range(last + 1, last + 1 + wanted)
    return await _behind_ours(connection, wanted, is_ours)


def free(rows: Iterable[Any]) -> Sequence[int]:
    """The numbers among the rows of `NEXT` that nobody planted a row under, in order."""
    return sorted(n for n, taken in rows if not taken)


async def begin_behind(connection: AsyncConnection, floor: int) -> None:
    """Draw no number up to *floor* any more; for whoever opens a successor, and alone.

    What was staged for the log before it, and did not come into it, is at home in none.
    """
    table = audit_pending.name
    if connection.dialect.name == "postgresql":
        await connection.execute(_MOVE, {"floor": floor})
        return
    known = await connection.execute(_COUNTER.values(seq=floor).where(_counter.c.name == table))
    if not known.rowcount:
        await connection.execute(insert(_counter).values(name=table, seq=floor))


async def _from_the_sequence(connection: AsyncConnection, wanted: int) -> Sequence[int]:
    found: list[int] = []
    more = wanted
    while len(found) < wanted:
        drawn = await (
            straight.rows(connection, _ONE)
            if more == 1
            else straight.rows(connection, _DRAWN, {"wanted": more})
        )
        found += free(drawn)
        more = min(more * 2, _AT_ONCE)
    return sorted(found)[:wanted]


async def _behind_ours(
    connection: AsyncConnection, wanted: int, is_ours: Callable[[Any], bool]
) -> Sequence[int]:
    """Where a planted row leaves no number behind it."""
    query = select(audit_pending).where(sound(audit_pending))
    rows = (await connection.execute(query)).all()
    last = max((row.n for row in rows if is_ours(row)), default=0)
    taken = {row.n for row in rows}
    return list(islice((n for n in count(last + 1) if n not in taken), wanted))
