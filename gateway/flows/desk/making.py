"""Exports that the desk asked for are made beside the requests, and kept sealed until fetched.

Whoever makes one renews a lease. A process that ends gives it back, one that was killed lets the
lease run out; either way another one, or the same after its start, goes on. An export's name
stands for every byte of it, so what is kept is gone on with where the same bytes can be made
again, and is begun anew where they cannot.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from audit.export.selection import Passed
from audit.kinds import Actor
from audit.log import Log
from consent.errors import KeyMissing
from consent.keys.keystore import KeyStore
from gateway.callers import desk_exports, dropping, operators
from gateway.callers.desk_exports import TRIES, Job, Why
from gateway.flows.errors import NoSuchExport, NotNow, PersonEnded, TooLong
from gateway.flows.proving.export_forms import Export, Form
from gateway.flows.proving.exports import Exports, Extent, Taking
from gateway.flows.sending.permission import Question
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys
from storage.ids import random_id

MOST: Final = 2 * 1024**3  # bytes of one
PIECE: Final = 1024 * 1024
_BEAT: Final = 1.0
_BUSY: Final = timedelta(seconds=5)
_AWAY: Final = timedelta(seconds=30)  # twice as long with each try

Paper = Callable[[Export, str, str | None], Awaitable[bytes]]  # in a language, for a case


class _TooLarge(Exception):
    """It came to more than is kept."""


class _NotOurs(Exception):
    """It was cancelled, or another process makes it."""


@dataclass(slots=True)
class _Seen:
    """How many entries were gone through."""

    entries: int = 0

    def passed(self, entries: int) -> None:
        self.entries += entries


def taking_of(job: Job) -> Taking:
    """What is wanted of the log, whole days, both of them in it."""
    said = job.facts
    first, last = (said.get(name) for name in ("since", "until"))
    since = None if first is None else _begin(date.fromisoformat(first))
    until = None if last is None else _begin(date.fromisoformat(last) + timedelta(days=1))
    form, extent = Form(said["format"]), Extent(said["scope"])
    return Taking(form, Actor.OPERATOR, job.operator, said.get("case"), since, until, extent)


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@dataclass(frozen=True, slots=True)
class Making:
    """Makes one export after the other; once *stopping* is set, it gives back what it makes."""

    data: Database
    keystore: KeyStore
    clock: Clock
    log: Log
    rows: RowKeys
    exports: Callable[[Passed], Exports]
    paper: Paper
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    most: int = MOST
    maker: str = field(default_factory=lambda: random_id("mkr"))

    async def work_off(self) -> int:
        """Make the next one; 0 where there is none, or it has to wait."""
        async with self.data.read() as connection:
            # On SQLite everybody who writes waits for whoever may write.
            if not await desk_exports.any_to_make(connection):
                return 0
        async with self.data.begin() as connection:
            now = await self.clock.now(connection)
            job = await desk_exports.take(connection, self.rows, self.maker, now)
        if job is None:
            return 0
        try:
            return await self._worked(job)
        except asyncio.CancelledError:
            raise  # its lease runs out
        except StorageAway:
            with suppress(StorageAway):  # the data too: its lease runs out
                await self._release(job, _AWAY * (1 << job.tries))
            raise
        except Exception:
            if job.tries >= TRIES:
                await self._fail(job, Why.FAULT)
            else:
                await self._release(job)
            raise

    async def _worked(self, job: Job) -> int:
        seen = _Seen()
        try:
            return int(await self._watched(job, seen, self._make(job, seen)))
        except (PersonEnded, KeyMissing):
            why = Why.GONE
        except TooLong:
            why = Why.PAPER
        except _TooLarge:
            why = Why.LARGE
        except _NotOurs:
            return 1
        except NotNow:
            await self._release(job, _BUSY, counts=False)
            return 1  # whoever waits behind it goes first
        await self._fail(job, why)
        return 1

    async def _watched(self, job: Job, seen: _Seen, work: Any) -> bool:
        """Do *work* while the job is ours; False where it was given back."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=_BEAT)
                if task.done():
                    break
                if self.stopping.is_set():
                    await self._stopped(task)
                    await self._release(job, counts=False)
                    return False
                async with self.data.begin() as connection:
                    now = await self.clock.now(connection)
                    if not await desk_exports.beat(connection, job, seen.entries, now):
                        raise _NotOurs
            await task
            return True
        finally:
            await self._stopped(task)

    @staticmethod
    async def _stopped(task: asyncio.Future[Any]) -> None:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})

    async def _make(self, job: Job, seen: _Seen) -> None:
        await self._require_who_asked(job)
        export, kept = await self._begun(job, seen)
        said = job.facts
        if export.order.form is Form.PDF:
            body = await self.paper(export, said["locale"], said.get("case"))
            pieces = _once(body)
        else:
            pieces = export.read(kept.size)
        await self._keep_all(kept, pieces, seen)

    async def _require_who_asked(self, job: Job) -> None:
        """Raise `PersonEnded` where the operator was revoked meanwhile."""
        async with self.data.read() as connection:
            found = await operators.get(connection, self.rows, job.operator)
            revoked = await operators.ended(connection, self.log.macs)
        if found is None or not operators.standing([found], revoked):
            raise PersonEnded

    async def _begun(self, job: Job, seen: _Seen) -> tuple[Export, Job]:
        """The export, and the job as it stands once what is kept of it fits."""
        exports = self.exports(seen.passed)
        named = job.size > 0 and job.name is not None
        goes_on = named and job.facts["format"] != Form.PDF
        reason = Why.RESUMED if goes_on else Why.ANEW if job.tries > 1 else None
        try:
            export = await _export(exports, job, job.name if goes_on else None)
        except NoSuchExport:
            export, reason = await _export(exports, job, None), Why.ANEW
        whole = await export.entries()
        if reason is not Why.RESUMED:
            await self._clear(job)
        async with self.data.begin() as connection:
            if not await desk_exports.begin(connection, job, export.name, whole, reason):
                raise _NotOurs
            found = await desk_exports.get(connection, self.rows, job.id, job.operator)
        if found is None:
            raise _NotOurs
        return export, found

    async def _clear(self, job: Job) -> None:
        while True:
            async with self.data.begin() as connection:
                did = await desk_exports.clear(connection, job)
            if did is None:
                raise _NotOurs
            if not did:
                return

    async def _keep_all(self, job: Job, made: AsyncIterator[bytes], seen: _Seen) -> None:
        """Piece by piece: what is in memory does not grow with the export."""
        n, size, held = job.pieces, job.size, bytearray()
        async with aclosing(made) as pieces:  # type: ignore[type-var]  # ours are generators
            async for some in pieces:
                held += some
                while len(held) > PIECE:
                    size += PIECE
                    await self._keep(job, n, bytes(held[:PIECE]), size)
                    del held[:PIECE]
                    n += 1
        await self._keep(job, n, bytes(held), size + len(held), ends=seen)

    async def _keep(
        self, job: Job, n: int, raw: bytes, size: int, *, ends: _Seen | None = None
    ) -> None:
        """Keep a piece; with the one that *ends* it, it is ready: nobody may go on behind that."""
        if size > self.most:
            raise _TooLarge
        owner, compartment = job.owner
        # Each time anew: who is erased meanwhile has no key any more.
        vault = await self.keystore.vault([owner])
        sealed = vault.seal(owner, compartment, job.place(n, last=ends is not None), raw)
        async with self.data.begin() as connection:
            if not await desk_exports.keep(connection, job, n, sealed, size):
                raise _NotOurs
            if ends is not None:
                now = await self.clock.now(connection)
                await desk_exports.finish(connection, job, ends.entries, now)

    async def _release(
        self, job: Job, pause: timedelta | None = None, *, counts: bool = True
    ) -> None:
        """Give it back: at once, or so that nobody takes it before *pause* is over."""
        async with self.data.begin() as connection:
            due = None if pause is None else await self.clock.now(connection) + pause
            await desk_exports.release(connection, job, due, counts=counts)

    async def _fail(self, job: Job, why: Why) -> None:
        async with self.data.begin() as connection:
            now = await self.clock.now(connection)
            await desk_exports.fail(connection, self.rows, job, why, now)


async def drop_ended(data: Database, clock: Clock) -> int:
    """Delete some of the bytes that nobody gets any more; how many pieces."""
    async with data.read() as connection:
        names = await desk_exports.ended(connection, await clock.now(connection))
    if not names:
        return 0
    async with data.begin() as connection:
        return await dropping.drop(connection, names)


async def _export(exports: Exports, job: Job, name: str | None) -> Export:
    if job.facts["scope"] != "person":
        export = await exports.of_log(taking_of(job), name=name)
        if export is None:
            raise NotNow  # before the first checkpoint
        return export
    if job.subject is None:
        raise PersonEnded
    # That it is opened, and why, was told when it was asked for.
    question, form = Question("", subject=job.subject), Form(job.facts["format"])
    export = await exports.of_person(question, None, form, name=name)
    if export is None:
        raise PersonEnded
    return export


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
