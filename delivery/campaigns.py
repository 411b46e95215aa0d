"""Campaigns: mails of one content to everyone whom a purpose permits.

A row says what is sent to whom, how far its messages were made, and whether it goes on.
It carries a MAC over all of that. What is said, and whom it is for, are sealed under a
key of their own: this package opens neither.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import and_, delete, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from delivery import tables
from storage import paging
from storage.honesty import RowKeys
from storage.signed import SignedTable
from storage.sound import readable
from storage.types import among

campaign = tables.campaign
outbox = tables.outbox


class State(StrEnum):
    """Where a campaign stands."""

    SCHEDULED = "scheduled"  # its time has not come
    EXPANDING = "expanding"  # messages are made, and go out meanwhile
    SENDING = "sending"  # all are made
    PAUSED = "paused"
    DONE = "done"  # each of its messages has ended
    CANCELLED = "cancelled"


GOES_ON: Final = frozenset({State.SCHEDULED, State.EXPANDING, State.SENDING})


@dataclass(frozen=True, slots=True)
class Campaign:
    """One row; `State` and what follows it change, what stands before was accepted so."""

    id: str
    purpose: str
    sender: str
    id_domain: str
    origin: str | None  # the API key; none: an operator
    content: str
    audience: bytes = field(repr=False)  # sealed, as is what its caller calls it
    reference: bytes | None = field(repr=False)
    per_hour: int | None
    starts_at: datetime
    created_at: datetime
    state: State
    next_due_at: datetime  # of its next message
    eid: bytes  # of the last event about it
    after_at: datetime | None = None  # the last consent that was looked at
    after_id: str | None = None
    made: int = 0
    expanded_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def going_on(self) -> State:
        """The state that it has unless somebody keeps it from going on."""
        if self.expanded_at is not None:
            return State.SENDING
        return State.SCHEDULED if self.after_at is None and not self.made else State.EXPANDING


_COVERED: Final = tuple(one.name for one in fields(Campaign))


async def add(connection: AsyncConnection, keys: RowKeys, new: Campaign) -> None:
    """Keep a campaign; its event is staged by the caller."""
    await connection.execute(insert(campaign).values(_row(keys, new)))


async def add_content(
    connection: AsyncConnection, name: str, key: str, sealed: bytes, now: datetime
) -> None:
    """Keep what a campaign says, before anything names it."""
    row = {"id": name, "subject": None, "key": key, "sealed": sealed, "created_at": now}
    await connection.execute(insert(tables.content).values(row))


async def contents_of(
    connection: AsyncConnection, names: Iterable[str]
) -> dict[str, tuple[str | None, bytes]]:
    """By campaign, the name of the key of what it says, and that, sealed."""
    content = tables.content
    query = select(campaign.c.id, content.c.key, content.c.sealed)
    query = query.join(content, campaign.c.content == content.c.id)
    rows = await connection.execute(query.where(among(campaign.c.id, names)))
    return {name: (key, sealed) for name, key, sealed in rows}


async def write(connection: AsyncConnection, keys: RowKeys, changed: Campaign) -> None:
    """Store how a campaign stands that the caller has locked."""
    statement = update(campaign).where(campaign.c.id == changed.id)
    await connection.execute(statement.values(_row(keys, changed)))


async def get(connection: AsyncConnection, keys: RowKeys, name: str) -> Campaign | None:
    """One campaign; None where no gateway wrote such a row."""
    row = (await connection.execute(select(campaign).where(campaign.c.id == name))).first()
    return None if row is None else _ours(keys, row)


async def some(connection: AsyncConnection, keys: RowKeys, names: Iterable[str]) -> list[Campaign]:
    """As `get`, of several."""
    rows = await connection.execute(select(campaign).where(among(campaign.c.id, names)))
    return [one for row in rows if (one := _ours(keys, row)) is not None]


async def lock_to_steer(connection: AsyncConnection, keys: RowKeys, name: str) -> Campaign | None:
    """As `get`, locked so that nobody puts a message of it back meanwhile (`states`)."""
    query = select(campaign).where(campaign.c.id == name).with_for_update()
    row = (await connection.execute(query)).first()
    return None if row is None else _ours(keys, row)


async def lock_to_work(connection: AsyncConnection, keys: RowKeys, name: str) -> Campaign | None:
    """As `get`, for one process at a time; None too where another one is at it."""
    query = select(campaign).where(campaign.c.id == name)
    query = query.with_for_update(key_share=True, skip_locked=True)
    row = (await connection.execute(query)).first()
    return None if row is None else _ours(keys, row)


async def states(connection: AsyncConnection, names: Collection[str]) -> Mapping[str, str]:
    """How these campaigns stand until this transaction ends; one that is being steered is missing.

    Never waits: who steers one waits for its messages, some of which the caller holds.
    """
    query = select(campaign.c.id, campaign.c.state).where(among(campaign.c.id, names))
    query = query.with_for_update(read=True, key_share=True, skip_locked=True)
    return {name: state for name, state in await connection.execute(query)}


async def under_way(connection: AsyncConnection, after: str | None, limit: int) -> list[str]:
    """The next campaigns by id that have not ended."""
    query = select(campaign.c.id).where(campaign.c.ended_at.is_(None))
    rows = await connection.execute(paging.by_name(query, campaign.c.id, after, limit))
    return list(rows.scalars())


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose campaigns are listed; no senders or purposes means those of all."""

    senders: Collection[str] = ()
    purposes: Collection[str] = ()


OF_ALL: Final = Whose()


async def listed(
    connection: AsyncConnection,
    keys: RowKeys,
    after: str | None,
    limit: int,
    whose: Whose = OF_ALL,
) -> tuple[list[Campaign], str | None]:
    """The next campaigns that a gateway wrote, oldest first; and behind which to go on.

    That is one of *whose*, too: the id of another's says that there is one, and since when.
    """
    query = paging.by_name(select(campaign), campaign.c.id, after, limit + 1)
    for column, names in ((campaign.c.sender, whose.senders), (campaign.c.purpose, whose.purposes)):
        query = query.where(among(column, names)) if names else query
    rows, last = paging.cut((await connection.execute(query)).all(), limit)
    found = [one for row in rows if (one := _ours(keys, row)) is not None]
    return found, None if last is None else last.id


async def every(connection: AsyncConnection, keys: RowKeys) -> dict[str, Campaign]:
    """Every row that a gateway wrote, by its id."""
    rows = await connection.execute(select(campaign))
    return {one.id: one for row in rows if (one := _ours(keys, row)) is not None}


async def content_keys(connection: AsyncConnection, names: Iterable[str]) -> set[str]:
    """The names of the keys that the contents of these campaigns are sealed under."""
    content = tables.content
    query = select(content.c.key).join(campaign, campaign.c.content == content.c.id)
    query = query.where(among(campaign.c.id, names), content.c.key.is_not(None))
    return set((await connection.execute(query)).scalars())


async def keys_in_use(connection: AsyncConnection, names: Collection[str]) -> set[str]:
    """Which of these keys a content names."""
    query = select(tables.content.c.key).where(among(tables.content.c.key, names))
    return set((await connection.execute(query)).scalars())


async def drop_contents(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete what campaigns said that ended up to *before*, where no message names it."""
    content = tables.content
    ended = and_(campaign.c.content == content.c.id, campaign.c.ended_at <= before)
    unused = ~exists().where(outbox.c.content == content.c.id)
    query = select(content.c.id).where(content.c.key.is_not(None), exists().where(ended), unused)
    query = query.order_by(content.c.id).limit(limit).with_for_update(skip_locked=True)
    gone = list((await connection.execute(query)).scalars())
    await connection.execute(delete(content).where(among(content.c.id, gone)))
    return len(gone)


async def drop_ended(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete campaigns that ended up to *before*, and their counts; no message is left of them."""
    left = or_(
        exists().where(outbox.c.campaign == campaign.c.id),
        exists().where(tables.content.c.id == campaign.c.content),
    )
    query = select(campaign.c.id).where(campaign.c.ended_at <= before, ~left)
    query = query.order_by(campaign.c.id).limit(limit).with_for_update(skip_locked=True)
    gone = list((await connection.execute(query)).scalars())
    counted = tables.campaign_count
    await connection.execute(delete(counted).where(among(counted.c.campaign, gone)))
    await connection.execute(delete(campaign).where(among(campaign.c.id, gone)))
    return len(gone)


def _row(keys: RowKeys, one: Campaign) -> dict[str, Any]:
    row = {name: getattr(one, name) for name in _COVERED}
    return row | keys.sign(campaign.name, *row.values())._asdict()


def _granting(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _COVERED)


def _ours(keys: RowKeys, row: Any) -> Campaign | None:
    if readable(row, campaign) is not row or not SIGNED.fits(keys, row):
        return None
    found = Campaign(**{name: getattr(row, name) for name in _COVERED})
    return replace(found, state=State(found.state))


SIGNED = SignedTable(campaign, select(campaign), _granting)
