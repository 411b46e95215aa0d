"""Which processes run, and the keys that each holds: a new key waits until all of them do.

A process that says nothing for a minute is waited for no longer. It harms
nobody if it goes on: what it must hold is asked of the key store each time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.keys import tables
from consent.keys.epochs import Epoch, EpochState
from storage.locks import delete_free
from storage.sound import sound
from storage.types import upsert

SILENT_FOR = timedelta(minutes=1)
_SAID_FOR = SILENT_FOR / 3  # two more reports of it may fail before it passes for gone
_FORGOTTEN_AFTER = timedelta(days=1)

KEK = "kek"  # beside the kinds of the sets

node = tables.node


@dataclass(frozen=True, slots=True)
class Held:
    """A key by its kind and number, and what tells it from another of that number."""

    kind: str
    number: int
    proof: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.number}/{self.proof}"


@dataclass(frozen=True, slots=True)
class Node:
    """A running process."""

    id: str
    name: str  # host and process id, as the log names it
    holds: frozenset[str]
    seen_at: datetime

    def lacks(self, key: Held) -> bool:
        return str(key) not in self.holds


async def is_said(
    connection: AsyncConnection, id_: str, holds: Iterable[Held], now: datetime
) -> bool:
    """Whether the last report of this process will do: of these keys, and lately."""
    row = node.c
    lately = row.seen_at.between(now - _SAID_FOR, now)
    said = select(row.id).where(row.id == id_, row.holds == _told(holds), lately)
    return (await connection.execute(said)).first() is not None


async def report(
    connection: AsyncConnection, id_: str, name: str, holds: Iterable[Held], now: datetime
) -> None:
    """Say that this process runs and what it holds; forget those that are long gone."""
    row = {"id": id_, "name": name, "holds": _told(holds), "seen_at": now}
    statement = upsert(connection, node).values(row)
    statement = statement.on_conflict_do_update(index_elements=["id"], set_=row)
    await connection.execute(statement)
    ahead = node.c.seen_at > now + _FORGOTTEN_AFTER  # it would never be long ago
    await delete_free(connection, node, or_(node.c.seen_at < now - _FORGOTTEN_AFTER, ahead))


def _told(holds: Iterable[Held]) -> str:
    return " ".join(sorted(map(str, holds)))


async def running(connection: AsyncConnection, now: datetime) -> list[Node]:
    """The processes that said something lately, by name; nobody says something in a year."""
    lately = node.c.seen_at.between(now - SILENT_FOR, now + SILENT_FOR)
    query = select(node).where(lately, sound(node)).order_by(node.c.name, node.c.id)
    return [
        Node(row.id, row.name, frozenset(str(row.holds).split()), row.seen_at)
        for row in await connection.execute(query)
    ]


def waited_for(epochs: Iterable[Epoch], running: Collection[Node]) -> dict[int, tuple[str, ...]]:
    """Of each announced epoch the processes, by name, that run without its key."""
    new = [one for one in epochs if one.state is EpochState.ANNOUNCED]
    keys = {one.epoch: Held(KEK, one.epoch, one.proof or "") for one in new}
    return {number: without(running, key) for number, key in keys.items()}


def without(running: Collection[Node], key: Held) -> tuple[str, ...]:
    """The processes, by name, that run without a key."""
    return tuple(one.name for one in running if one.lacks(key))
