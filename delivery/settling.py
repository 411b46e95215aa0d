"""Outcomes on their way into the database; the journal has them until they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from math import inf
from typing import Generic

import structlog

from delivery.desk import Desk, Ended, L, Parcel
from delivery.hand import MOST
from delivery.journal import Journal
from delivery.outcome import Kind
from storage.clock import elapsed
from storage.errors import StorageAway

log = structlog.get_logger()

GATHER = 0.25  # nobody waits for outcomes: the journal has them meanwhile
PATIENCE = 10.0  # for a database that is away when this process is to end


class Settling(Generic[L]):
    """The outcomes of what one name of a worker has claimed: see `Worker.run`."""

    def __init__(self, desk: Desk[L], journal: Journal) -> None:
        self._desk = desk
        self._journal = journal
        self._ended = {kind: asyncio.Queue[Ended[L] | None]() for kind in Kind}  # None: the last
        self._gave_up = False
        self._unwritten = False  # there is an outcome that the database does not take
        self._until: float | None = None  # patient, from the moment that it is to end
        self.awaited: set[tuple[str, int]] = set()  # attempts, from claim to written outcome

    @property
    def is_whole(self) -> bool:
        """Whether all that came was written; else the journal tells whoever comes next."""
        return not (self._gave_up or self._unwritten)

    def expect(self, parcels: Iterable[Parcel[L]]) -> None:
        """These will end, each once."""
        self.awaited.update((parcel.message, parcel.attempt) for parcel in parcels)

    def add(self, ended: Ended[L]) -> None:
        self._ended[ended.parcel.kind].put_nowait(ended)

    def end_soon(self) -> None:
        """Let the deadline run for what is left; a second reason to end does not prolong it."""
        if self._until is None:
            self._until = elapsed() + PATIENCE

    def no_more_come(self) -> None:
        for queue in self._ended.values():
            queue.put_nowait(None)

    async def keep_on(self, kind: Kind) -> None:
        """Write outcomes in groups until the last: one takes a transaction as long as fifty.

        Those of service mails at once, whatever a campaign's wait for: the proof
        says that a mail was sent before somebody acted on it.
        """
        queue = self._ended[kind]
        while True:
            ended = [await queue.get()]
            if ended[0] is not None and kind is Kind.MARKETING:
                await asyncio.sleep(GATHER)
            while not queue.empty() and len(ended) < MOST:
                ended.append(queue.get_nowait())
            if known := [one for one in ended if one is not None]:
                await self._settle(known)
                parcels = [one.parcel for one in known]
                self.awaited.difference_update((one.message, one.attempt) for one in parcels)
            if None in ended:
                return

    async def _settle(self, ended: list[Ended[L]]) -> None:
        """Write outcomes, however long the database is away: the journal keeps them meanwhile.

        Who is to end does not wait for ever, nor anew for each group: what is
        left then stays in the journal, and is replayed.
        """
        delay = 0.1
        while not self._gave_up:
            try:
                lost = await self._desk.settle(self._journal.owner, ended)
            except StorageAway as error:
                log.warning("outcomes_wait", store=error.store, waiting=len(ended))
                patience = max(self._patience, 0.0)
                self._gave_up = not patience
                await asyncio.sleep(min(delay, patience))
                delay = min(delay * 2, 5.0)
            else:
                parcels = [one.parcel for one in ended if one.parcel.message not in lost]
                self._journal.settled((parcel.message, parcel.attempt) for parcel in parcels)
                self._unwritten = self._unwritten or bool(lost)
                return

    @property
    def _patience(self) -> float:
        """Seconds that a database which is away is still waited for."""
        return inf if self._until is None else self._until - elapsed()
