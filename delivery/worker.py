"""The worker: claims messages, carries each over SMTP, settles what became of it.

It knows no address before a permit releases it and nothing of people at all:
the `Desk` decides, this carries. There is no other way to SMTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Any, Generic

import structlog

from delivery.desk import Composed, Desk, Ended, L, Parcel
from delivery.errors import JournalError
from delivery.journal import Journal
from delivery.lanes import Ask, Lanes
from delivery.outcome import Ending, Kind, Phase, Reply
from delivery.permits import Spending
from delivery.pool import Pool
from delivery.settling import Settling
from delivery.transmission import Connection, transmit
from storage.clock import elapsed
from storage.errors import StorageAway
from storage.grouping import Grouped

log = structlog.get_logger()

# Between comparing the deadline and the system writing MAIL to the socket, this
# process may be stopped; the margin bounds how late a MAIL can be.
MARGIN = timedelta(milliseconds=500)
COMMIT_WITHIN = 30.0
IDLE = 0.25
GATHER_SPENT = 0.01  # a statement costs as much for one permit as for twenty
HEARTBEAT = 30.0  # at the longest; a claim whose answer got lost is found by it
_UNBEGUN = Ending(Phase.GREETED)


@dataclass(frozen=True, slots=True)
class Pace:
    """The worker's durations, from the configuration."""

    permit_ttl: timedelta
    lease: timedelta


class Worker(Generic[L]):
    """What delivers in a process. Run it once; it ends when asked, or visibly."""

    def __init__(
        self, desk: Desk[L], pool: Pool, journals: Callable[[], Journal], pace: Pace
    ) -> None:
        self._journals = journals
        self._journal = journals()
        self._desk = desk
        self._pool = pool
        self._pace = pace
        self._spend = Grouped(self._spend_group, gather=GATHER_SPENT, more=self._more_come)
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        pool.tell(self._wake.set)
        life = (pace.permit_ttl.total_seconds(), MARGIN.total_seconds())
        self._lanes = Lanes[Parcel[L]](*life, lambda one: one.kind is Kind.SERVICE)
        self._claims_from = -inf  # the moment; later than now once the database was away
        self._carriers: set[asyncio.Task[None]] = set()
        self._before_dot: set[asyncio.Task[None]] = set()
        self._settling = Settling(desk, self._journal)
        self._lost = False  # the lease, and with it the name
        self._journal_fails = False
        self.ready = False

    @property
    def owner(self) -> str:
        """The name that it works under now."""
        return self._journal.owner

    @property
    def stopping(self) -> bool:
        """Whether nothing new may be begun."""
        return self._lost or self._stopping.is_set()

    def stop(self) -> None:
        """Claim nothing more; dialogues before the dot are aborted, others waited for."""
        self._stopping.set()
        self._end_soon()

    def _end_soon(self) -> None:
        self._settling.end_soon()
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`.

        A lease that was lost, as after a night asleep, ends the name that it was
        for: dialogues past the dot are waited for, since their replies turn what
        the takeover called uncertain into sent. What the journal tells then is
        replayed like anybody's, and the work goes on under another name.
        """
        while True:
            with self._journal:
                await self._run_once()
            if not self._lost or self._stopping.is_set():
                return
            self._lost = False
            self._journal = self._journals()
            self._settling = Settling(self._desk, self._journal)

    async def _run_once(self) -> None:
        await self._start()
        try:
            async with asyncio.TaskGroup() as group:
                heartbeat = group.create_task(self._keep_lease())
                settling = [group.create_task(self._settling.keep_on(kind)) for kind in Kind]
                await self._deliver(group)
                await self._drain()
                await asyncio.wait(settling)
                heartbeat.cancel()
        finally:
            self.ready = False
        if self._lost or not self._settling.is_whole:
            return  # the journal tells whoever comes next
        with suppress(StorageAway):  # the lease ends by itself
            await self._desk.leave(self.owner)
            self._journal.release()

    async def _start(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._desk.register(self.owner)
            except StorageAway:
                await self._pause(1.0)
            else:
                self.ready = True
                return

    async def _keep_lease(self) -> None:
        every = min(self._pace.lease.total_seconds() / 4, HEARTBEAT)
        while True:
            await asyncio.sleep(every)
            try:
                if not await self._desk.renew(self.owner):
                    break
                await self._desk.take_back(self.owner, self._settling.awaited)
            except StorageAway as error:
                log.warning("lease_not_renewed", store=error.store)
        log.error("lease_lost", worker=self.owner)
        self._lost = True
        self._end_soon()

    async def _deliver(self, group: asyncio.TaskGroup) -> None:
        """Claim, and let connections carry; each beside the other.

        A claim asks the database a dozen times. Connections that have carried
        their number meanwhile would be missing until it has all its answers.
        """
        claiming: asyncio.Task[None] | None = None
        while not self.stopping:
            if not self._takes_lines():
                self._end_unbegun(self._lanes.clear())
                await self._pause(1.0)
                continue
            self._lanes.connections = self._pool.most
            # More connections than one only for more messages than those under way.
            connections = self._pool.take(None if self._lanes.has_more else 1)
            if claiming is None or claiming.done():
                ask = self._ask(idle=bool(connections))
                claiming = None if ask is None else group.create_task(self._claim(ask))
            self._end_unbegun(self._lanes.late(elapsed()))
            self._man(group, connections)
            await self._pause(IDLE)
        if claiming is not None:
            await claiming

    def _ask(self, *, idle: bool) -> Ask | None:
        now = elapsed()
        return None if now < self._claims_from else self._lanes.ask(now, idle=idle)

    def _man(self, group: asyncio.TaskGroup, connections: Sequence[Connection]) -> None:
        """Let idle connections carry what may be begun."""
        ready = self._lanes.ready
        for number, connection in enumerate(connections):
            if number >= ready:
                self._pool.give_back(connection)
                continue
            task = group.create_task(self._carry(connection))
            self._carriers.add(task)
            task.add_done_callback(self._carriers.discard)

    def _takes_lines(self) -> bool:
        """Whether the journal takes lines (again): else every claim would end before its dot."""
        if self._journal_fails:
            try:
                self._journal.try_out()
            except JournalError:
                return False
            self._journal_fails, self.ready = False, True
        return True

    async def _claim(self, ask: Ask) -> None:
        began = elapsed()
        try:
            claimed = await self._desk.claim(
                self.owner, ask.wanted, marketing=ask.marketing, most=ask.most
            )
        except StorageAway as error:
            log.warning("claim_failed", store=error.store)
            self._lanes.none_came()
            self._claims_from = elapsed() + 1.0
            return
        self._settling.expect(claimed)
        self._lanes.add(ask, claimed, began, claimed.others)
        if claimed or self._lanes.goes_on:
            self._wake.set()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until more is to be claimed or the end is near."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
        if not self.stopping:
            self._wake.clear()

    async def _carry(self, connection: Connection) -> None:
        """Take messages out of the lanes, one after another, while the connection lasts."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 there is no other way to run
        try:
            while (taken := self._next()) is not None:
                parcel, deadline = taken
                try:
                    mail = await self._desk.compose(parcel, self._lanes)
                except StorageAway as error:
                    log.warning("not_composed_yet", store=error.store)
                    self._lanes.ended(parcel)
                    self._end_unbegun([parcel])
                    continue
                if mail is None:
                    ended = Ended(parcel, _UNBEGUN, unsendable=True)
                else:
                    self._before_dot.add(task)
                    ended = await self._transmit(connection, parcel, mail, deadline)
                    self._before_dot.discard(task)
                self._lanes.ended(parcel)
                self._settling.add(ended)
                if ended.aborted or not self._pool.fit(connection):
                    break
        finally:
            self._pool.give_back(connection)
            if self._lanes.has_more:
                self._wake.set()

    def _next(self) -> tuple[Parcel[L], float] | None:
        """The next message to begin; none once nothing may be begun or would pass its dot."""
        if self.stopping or self._journal_fails:
            return None
        now = elapsed()
        self._end_unbegun(self._lanes.late(now))
        taken = self._lanes.take(now)
        if self._lanes.runs_out:
            self._wake.set()
        return taken

    async def _transmit(
        self, connection: Connection, parcel: Parcel[L], mail: Composed, deadline: float
    ) -> Ended[L]:
        guard, aborted = _Dialogue(self, parcel, deadline), False
        try:
            ending = await transmit(connection, mail.envelope, guard)
        except asyncio.CancelledError:
            ending = connection.ending or Ending(connection.phase)
            aborted = connection.ending is None and not connection.past_dot
        return Ended(
            parcel,
            ending,
            mail.digest,
            aborted=aborted,
            kept=mail.kept,
            peer=connection.peer,
            signature=mail.signature,
        )

    def _end_unbegun(self, parcels: Sequence[Parcel[L]]) -> None:
        for parcel in parcels:
            self._settling.add(Ended(parcel, _UNBEGUN))

    async def _drain(self) -> None:
        # One that was not begun yet would end without giving its connection back.
        await asyncio.sleep(0)
        for task in list(self._before_dot):
            task.cancel()
        while self._carriers:
            await asyncio.wait(self._carriers)
        self._end_unbegun(self._lanes.clear())
        self._settling.no_more_come()

    def _more_come(self, waiting: int) -> bool:
        """Whether others than those that wait may have a permit to spend soon."""
        return waiting < len(self._before_dot)

    async def _spend_group(self, spendings: Sequence[Spending]) -> Sequence[bool]:
        async with asyncio.timeout(COMMIT_WITHIN):  # or one that hangs holds up all that come later
            spent = await self._desk.spend(self.owner, spendings)
        return [one.permit in spent for one in spendings]

    async def spend(self, parcel: Parcel[object]) -> bool:
        """Mark a permit spent, with whoever does so at the same time; no answer means no."""
        spending = Spending(parcel.permit, parcel.message, parcel.attempt)
        try:
            # Of each mail: a group that hangs may hang while it is cancelled, too.
            async with asyncio.timeout(COMMIT_WITHIN):
                return await self._spend(spending)
        except (StorageAway, TimeoutError):
            return False

    def past_the_dot(self, parcel: Parcel[object]) -> None:
        """Note the final dot durably enough for a killed process, before it is written."""
        try:
            self._journal.dot(parcel.message, parcel.attempt)
        except JournalError:
            self._journal_fails, self.ready = True, False
            raise
        self._let_be(asyncio.current_task())

    def _let_be(self, task: asyncio.Task[None] | None) -> None:
        """From here on draining waits for *task*, and does not cancel it."""
        if task is not None:
            self._before_dot.discard(task)

    def accepted(self, parcel: Parcel[object], reply: Reply) -> None:
        """Keep the final reply; a full journal leaves that to the database alone."""
        try:
            self._journal.acc(parcel.message, parcel.attempt, reply.code)
        except JournalError:
            log.error("journal_full", message=parcel.message)


class _Dialogue:
    """The fences of one transmission, as `delivery.transmission` asks for them."""

    def __init__(self, worker: Worker[Any], parcel: Parcel[object], deadline: float) -> None:
        self._worker = worker
        self._parcel = parcel
        self._deadline = deadline

    def may_start(self) -> bool:
        return elapsed() < self._deadline and not self._worker.stopping

    async def spend(self) -> bool:
        return await self._worker.spend(self._parcel)

    def before_dot(self) -> None:
        self._worker.past_the_dot(self._parcel)

    def accepted(self, reply: Reply) -> None:
        self._worker.accepted(self._parcel, reply)
