"""The worker: claims messages, carries each over SMTP, settles what became of it.

It knows no address before a permit releases it and nothing of people at all:
the `Desk` decides, this carries. There is no other way to SMTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from delivery.errors import JournalError
from delivery.grouping import Grouped
from delivery.journal import Journal
from delivery.outcome import Ending, Kind, Reply
from delivery.permits import Spending
from delivery.smtp import Connection, Envelope, Pool, transmit
from storage.errors import StorageAway

log = structlog.get_logger()

# Between comparing the deadline and the system writing MAIL to the socket, this
# process may be stopped; the margin bounds how late a MAIL can be.
MARGIN = timedelta(milliseconds=500)
COMMIT_WITHIN = 30.0
IDLE = 0.25
HEARTBEAT = 30.0  # at the longest; a claim whose answer got lost is found by it
PATIENCE = 10.0  # for a database that is away when this process is to end
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds from a fixed moment, counted also while the machine sleeps.

    Else a permit would wake up with its machine, hours after it expired.
    """
    return time.clock_gettime(_CLOCK)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A leased message, permitted, composed and signed."""

    message: str
    attempt: int
    permit: str
    subject: str
    kind: Kind
    digest: str  # of the bytes that are sent
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Ended:
    """How a parcel's transmission ended; *aborted* by ourselves, before the final dot."""

    parcel: Parcel
    ending: Ending
    aborted: bool = False


class Desk(Protocol):
    """What the worker needs decided and written; the composition root provides it."""

    async def register(self, owner: str) -> None: ...

    async def renew(self, owner: str) -> bool:
        """Prolong the lease; False when another took it over."""

    async def claim(self, owner: str, wanted: int) -> Sequence[Parcel]:
        """Lease, permit and compose up to *wanted* due messages, in one transaction."""

    async def spend(self, owner: str, spendings: Sequence[Spending]) -> set[str]:
        """Mark permits spent, in one transaction; only those returned may pass the dot."""

    async def settle(self, owner: str, ended: Sequence[Ended]) -> None:
        """Write outcomes, in one transaction."""

    async def take_back(self, owner: str, carried: Collection[str]) -> None:
        """Queue again what *owner* holds, does not carry, and may not start any more."""

    async def leave(self, owner: str) -> None:
        """Forget a worker that holds nothing any more."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The worker's durations, from the configuration."""

    permit_ttl: timedelta
    lease: timedelta


class Share:
    """How many messages one claim takes, so that all of them can start in *seconds*.

    Deciding, composing and signing come out of the life of the permits. A claim
    that is too big for it would start nothing, and neither would the next.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._most = 50

    def of(self, connections: int) -> int:
        return min(connections, self._most)

    def learn(self, claimed: int, took: float) -> None:
        """Halve after a claim that took too long; grow by one full claim after another."""
        if took > self._seconds:
            self._most = max(1, min(claimed, self._most) // 2)
        elif claimed >= self._most:
            self._most *= 2


class Worker:
    """What delivers in a process. Run it once; it ends when asked, or visibly."""

    def __init__(self, desk: Desk, pool: Pool, journals: Callable[[], Journal], pace: Pace) -> None:
        self._journals = journals
        self._journal = journals()
        self._desk = desk
        self._pool = pool
        self._pace = pace
        self._spend = Grouped(self._spend_group)
        self._settle = Grouped(self._settle_group)
        self._stopping = asyncio.Event()
        self._idle_again = asyncio.Event()
        self._under_way: dict[asyncio.Task[None], str] = {}  # and the message of each
        self._before_dot: set[asyncio.Task[None]] = set()
        self._share = Share(pace.permit_ttl.total_seconds() / 2)
        self._lost = False  # the lease, and with it the name
        self._unsettled = False
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
        self._idle_again.set()

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
            self._lost = self._unsettled = False
            self._journal = self._journals()

    async def _run_once(self) -> None:
        await self._start()
        try:
            async with asyncio.TaskGroup() as group:
                heartbeat = group.create_task(self._keep_lease())
                await self._deliver(group)
                await self._drain()
                heartbeat.cancel()
        finally:
            self.ready = False
        if self._lost or self._unsettled:
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
                await self._desk.take_back(self.owner, set(self._under_way.values()))
            except StorageAway as error:
                log.warning("lease_not_renewed", store=error.store)
        log.error("lease_lost", worker=self.owner)
        self._lost = True
        self._idle_again.set()

    async def _deliver(self, group: asyncio.TaskGroup) -> None:
        while not self.stopping:
            if not self._takes_lines():
                await self._pause(1.0)
                continue
            connections = await self._pool.ready()
            if not connections:
                await self._pause(IDLE)
                continue
            began = elapsed()
            parcels = await self._claim(self._share.of(len(connections)))
            self._share.learn(len(parcels), elapsed() - began)
            spare = connections[len(parcels) :]
            for connection in spare:
                self._pool.give_back(connection)
            deadline = began + (self._pace.permit_ttl - MARGIN).total_seconds()
            for connection, parcel in zip(connections, parcels, strict=False):
                task = group.create_task(self._carry(connection, parcel, deadline))
                self._under_way[task] = parcel.message
                self._before_dot.add(task)
                task.add_done_callback(self._forget)
            await self._pause(IDLE if spare else IDLE / 10)

    def _takes_lines(self) -> bool:
        """Whether the journal takes lines (again): else every claim would end before its dot."""
        if self._journal_fails:
            try:
                self._journal.try_out()
            except JournalError:
                return False
            self._journal_fails, self.ready = False, True
        return True

    async def _claim(self, wanted: int) -> Sequence[Parcel]:
        try:
            return await self._desk.claim(self.owner, wanted)
        except StorageAway as error:
            log.warning("claim_failed", store=error.store)
            await self._pause(1.0)
            return ()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until a connection is free or the end is near."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle_again.wait(), seconds)
        if not self.stopping:
            self._idle_again.clear()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self._before_dot.discard(task)
        self._idle_again.set()

    async def _carry(self, connection: Connection, parcel: Parcel, deadline: float) -> None:
        dialogue = _Dialogue(self, parcel, deadline)
        aborted = False
        try:
            ending = await transmit(connection, parcel.envelope, dialogue)
        except asyncio.CancelledError:
            ending, aborted = Ending(connection.phase), not connection.past_dot
        finally:
            self._let_be(asyncio.current_task())
            self._pool.give_back(connection)
            self._idle_again.set()
        await self._settle(Ended(parcel, ending, aborted))

    async def _drain(self) -> None:
        # One that was not begun yet would end without giving its message back.
        await asyncio.sleep(0)
        for task in list(self._before_dot):
            task.cancel()
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _spend_group(self, spendings: Sequence[Spending]) -> Sequence[bool]:
        spent = await self._desk.spend(self.owner, spendings)
        return [one.permit in spent for one in spendings]

    async def _settle_group(self, ended: Sequence[Ended]) -> Sequence[None]:
        """Write outcomes, however long the database is away: the journal keeps them meanwhile.

        Who is to end does not wait for ever; then the journal stays, and is replayed.
        """
        delay, patient_until = 0.1, None
        while True:
            try:
                await self._desk.settle(self.owner, ended)
            except StorageAway as error:
                log.warning("outcomes_wait", store=error.store, waiting=len(ended))
                if self.stopping:
                    patient_until = patient_until or elapsed() + PATIENCE
                    if elapsed() > patient_until:
                        self._unsettled = True
                        return [None] * len(ended)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
            else:
                for one in ended:
                    self._journal.settled(one.parcel.message, one.parcel.attempt)
                return [None] * len(ended)

    async def spend(self, parcel: Parcel) -> bool:
        """Mark a permit spent, with whoever does so at the same time; no answer means no."""
        spending = Spending(parcel.permit, parcel.message, parcel.attempt)
        try:
            return await asyncio.wait_for(self._spend(spending), COMMIT_WITHIN)
        except (StorageAway, TimeoutError):
            return False

    def past_the_dot(self, parcel: Parcel) -> None:
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

    def accepted(self, parcel: Parcel, reply: Reply) -> None:
        """Keep the final reply; a full journal leaves that to the database alone."""
        try:
            self._journal.acc(parcel.message, parcel.attempt, reply.code)
        except JournalError:
            log.error("journal_full", message=parcel.message)


class _Dialogue:
    """The fences of one transmission, as `delivery.smtp` asks for them."""

    def __init__(self, worker: Worker, parcel: Parcel, deadline: float) -> None:
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
