"""Whoever received a person's data is told what became of it (Art. 19 GDPR), until they say so.

What happened stands in rows that were written with it (`consent/feed.py`). Once the log
has given it a place it is spread to those who are to be told; each of them is told by a duty
of its own, on any node, so that one who is slow or away keeps no other one waiting. A
receiver may hear the same twice, under the same id: what was acknowledged while
its process died is told again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import attrgetter

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import roll
from audit.log import Log
from consent import feed, tellings
from consent.external_ids import Ids
from consent.feed import Change, News, Telling
from consent.tellings import Claim, Failure
from gateway.config.config import Config
from gateway.config.contradictions import OWN_SERVER
from gateway.flows.bad_rows import put_aside
from gateway.watch.stuck import Why
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.locks import try_alone

log = structlog.get_logger()

_PAGE = 500
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who is told: as people know them, and of what."""

    name: str
    kinds: frozenset[News]


# Returns why it was not acknowledged, soon and whatever happens; None: it was. Raises nothing.
Send = Callable[[str, Change, Ids], Awaitable[Failure | None]]
Identify = Callable[[Sequence[Change]], Awaitable[Mapping[str, Ids]]]  # by change


def receivers_of(config: Config) -> dict[str, Receiver]:
    """Who is told, by the name of the webhook."""
    processors = config.processors

    def name(webhook: str, processor: str) -> str:
        return webhook if processor == OWN_SERVER else processors[processor].name

    return {
        key: Receiver(name(key, one.processor), frozenset(one.kinds))
        for key, one in config.webhooks.items()
    }


class Tellings:
    """Spreads what happened, and tells it."""

    def __init__(
        self,
        data: Database,
        clock: Clock,
        keys: RowKeys,
        log: Log,
        receivers: Mapping[str, Receiver],
        send: Send,
        identify: Identify,
    ) -> None:
        self._data = data
        self._clock = clock
        self._keys = keys
        self._log = log
        self._receivers = receivers
        self._send = send
        self._identify = identify

    async def spread(self) -> int:
        """Decide who is told of what has a place in the log; one process at a time, in its order.

        A row that no gateway wrote tells nobody anything, and is named.
        """
        if not await self._is_anything(lambda connection, now: feed.unspread(connection, now, 1)):
            return 0
        async with self._data.begin() as connection:
            if not await try_alone(connection, "changes"):
                return 0
            now = await self._clock.now(connection)
            rows = await feed.unspread(connection, now, _PAGE)
            read = {row.id: feed.read(self._keys, row) for row in rows}
            stuck = {name: Why.ALTERED for name, one in read.items() if one is None}
            ours = [one for one in read.values() if one is not None]
            places = await roll.places_of(connection, self._log.macs, [one.eid for one in ours])
            # Each has a place: in front of the others, one with another's entry would stay there.
            stuck |= {one.id: Why.ALTERED for one in ours if one.eid not in places}
            await put_aside(connection, "change", stuck, now)
            placed = [
                feed.placed(one, places[one.eid][0], self._told_of(one.kind))
                for one in ours
                if one.eid in places
            ]
            placed.sort(key=attrgetter("place"))  # changes have no order of their own
            await feed.spread(connection, self._keys, placed)
            await tellings.add(connection, self._keys, placed)
            await feed.forget(connection, {one.subject for one in placed})
        return len(placed)

    async def _is_anything(
        self, look: Callable[[AsyncConnection, datetime], Awaitable[Sequence[object]]]
    ) -> bool:
        """Whether there is anything to do: duties come often, and SQLite has one writer."""
        async with self._data.read() as connection:
            return bool(await look(connection, await self._clock.now(connection)))

    def _told_of(self, kind: News) -> list[str]:
        return [name for name, one in self._receivers.items() if kind in one.kinds]

    async def tell(self, webhook: str) -> int:
        """Tell one receiver what is due, some people at once; returns how much it acknowledged."""
        if not await self._is_anything(partial(tellings.due, webhook=webhook)):
            return 0
        async with self._data.begin() as connection:
            now = await self._clock.now(connection)
            claims = await tellings.claim(connection, webhook, now, _AT_ONCE)
            if not claims:
                return 0
            known = await feed.get(connection, self._keys, {one.change for one in claims})
            due = {one: known[one.change] for one in claims if one.change in known}
            due = {one: of for one, of in due.items() if webhook in (of.receivers or "").split()}
            if aside := [one for one in claims if one not in due]:
                log.error("tellings_aside", webhook=webhook, rows=len(aside))
                await tellings.put_aside(connection, webhook, aside, now)
        # No connection is held here: whoever is slow to listen must not keep others from it.
        ids = await self._identify([*due.values()])
        sent = (self._send(webhook, one, ids.get(one.id, {})) for one in due.values())
        said = await asyncio.gather(*sent)
        return await self._settle(webhook, due, said)

    async def _settle(
        self, webhook: str, due: Mapping[Claim, Change], said: Sequence[Failure | None]
    ) -> int:
        again = {one: why for one, why in zip(due, said, strict=True) if why is not None}
        told = [change for one, change in due.items() if one not in again]
        async with self._data.begin() as connection:
            now = await self._clock.now(connection)
            await tellings.end(connection, self._keys, webhook, told, Telling.TOLD, now)
            await tellings.put_off(connection, webhook, again, now)
            await feed.forget(connection, {one.subject for one in told})
        return len(told)
