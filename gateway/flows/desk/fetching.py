"""Exports at the desk: asked for, cancelled, and handed over once to who asked; each is told.

That a person is opened, and why, stands in their trail when it is asked for, and once more before
the first byte is handed over; an export of the log is told in it before that byte.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import gates
from consent.errors import SealError
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment
from gateway.callers import desk_exports
from gateway.callers.desk_exports import HANDING, Job, State, Why
from gateway.flows.desk.making import taking_of
from gateway.flows.desk.sitting import Operator
from gateway.flows.errors import NoSuchExport, PersonEnded
from gateway.flows.proving.export_forms import Form, up_to
from gateway.flows.proving.exports import Exports, Extent
from gateway.flows.rights.handing_out import HandingOut, at_the_desk
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys
from storage.ids import random_id
from storage.locks import keep_out

AT_ONCE: Final = 4  # of one operator that stand
ROOM: Final = 8 * 1024**3  # bytes that wait to be fetched, of everybody
SHOWN: Final = 20
PERSON: Final = "person"
_ASKING: Final = "desk exports asked for"


class Hindrance(StrEnum):
    """Why nothing is begun."""

    MANY = "many"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to have as a file; *subject* and *why* for what the log has of one."""

    form: Form
    locale: str
    extent: Extent = Extent.PERIOD
    case: str | None = None
    since: date | None = None
    until: date | None = None
    subject: str | None = None
    why: str | None = None

    def write(self) -> str:
        said: dict[str, str | None] = {"format": self.form, "locale": self.locale}
        said |= {"scope": self.extent if self.subject is None else PERSON, "case": self.case}
        days = {"since": self.since, "until": self.until}
        said |= {name: None if day is None else day.isoformat() for name, day in days.items()}
        return json.dumps({name: value for name, value in said.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Listed:
    """What an operator asked for, at the moment *at*."""

    jobs: list[Job]
    at: datetime


@dataclass(frozen=True, slots=True)
class DeskExports:
    """Exports of who sits at the desk; who looks at one is told by *handing* or *exports*."""

    data: Database
    keystore: KeyStore
    clock: Clock
    rows: RowKeys
    handing: HandingOut
    exports: Exports

    async def ask(self, operator: Operator, wanted: Wanted) -> Hindrance | Job | None:
        """Begin one; None, and nothing told, for a person who is not live."""
        async with self.data.read() as connection:  # before anything is told
            if hindrance := await self._hindrance(connection, operator):
                return hindrance
        name = random_id("exp")
        if wanted.subject is None:
            return await self._added(operator, wanted, name, None)
        vault = await self.keystore.vault([wanted.subject])
        if not vault.has(wanted.subject, Compartment.PROFILE):
            return None
        why = wanted.why or ""
        sealed = vault.seal(wanted.subject, Compartment.PROFILE, _place(name), why.encode())
        if not await self.handing.tell(wanted.subject, at_the_desk(operator, why)):
            return None
        return await self._added(operator, wanted, name, sealed)

    async def _added(
        self, operator: Operator, wanted: Wanted, name: str, sealed: bytes | None
    ) -> Hindrance | Job | None:
        """Under the gate: an erasure finds the row, or has begun, and there comes to be none."""
        async with self.data.begin() as connection:
            await keep_out(connection, _ASKING)  # of two who ask at once, one sees the other's
            if wanted.subject is not None:
                gate = (await gates.lock(connection, [wanted.subject])).get(wanted.subject)
                if gate is None or not gate.live:
                    return None
            if hindrance := await self._hindrance(connection, operator):
                return hindrance
            now = await self.clock.now(connection)
            job = Job(name, operator.id, wanted.subject, sealed, wanted.write(), now)
            await desk_exports.add(connection, self.rows, job)
        return job

    async def _hindrance(self, connection: AsyncConnection, operator: Operator) -> Hindrance | None:
        now = await self.clock.now(connection)
        if await desk_exports.standing(connection, operator.id, now) >= AT_ONCE:
            return Hindrance.MANY
        return Hindrance.ROOM if await desk_exports.room_taken(connection) >= ROOM else None

    async def again(self, operator: Operator, name: str) -> Hindrance | Job | None:
        """Begin one like it; None where there is none, or nobody to open any more."""
        job = await self.one(operator, name)
        if job is None:
            return None
        said = job.facts
        form, locale = Form(said["format"]), said["locale"]
        if said["scope"] == PERSON:
            why = await self._why(job)  # gone with the person
            of_one = Wanted(form, locale, subject=job.subject, why=why)
            return None if why is None else await self.ask(operator, of_one)
        first, last = (said.get(day) for day in ("since", "until"))
        since = None if first is None else date.fromisoformat(first)
        until = None if last is None else date.fromisoformat(last)
        of_log = Wanted(form, locale, Extent(said["scope"]), said.get("case"), since, until)
        return await self.ask(operator, of_log)

    async def of(self, operator: Operator) -> Listed:
        """Theirs, newest first."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
            found = await desk_exports.of_operator(connection, self.rows, operator.id, SHOWN)
        return Listed(found, now)

    async def one(self, operator: Operator, name: str) -> Job | None:
        async with self.data.read() as connection:
            return await desk_exports.get(connection, self.rows, name, operator.id)

    async def cancel(self, operator: Operator, name: str) -> None:
        """Let nothing come of it; whoever makes it finds out within a second."""
        job = await self.one(operator, name)
        if job is not None:
            async with self.data.begin() as connection:
                now = await self.clock.now(connection)
                await desk_exports.cancel(connection, job, now)

    async def fetch(self, operator: Operator, name: str) -> Job | None:
        """Take it to be handed over, which is told; None where it is not there to be fetched."""
        job = await self.one(operator, name)
        if job is None or job.state is not State.READY:
            return None
        reader, damage = random_id("rdr"), await self._damage(job)
        async with self.data.begin() as connection:
            now = await self.clock.now(connection)
            if damage is not None:
                await desk_exports.fail(connection, self.rows, job, damage, now)
                return None
            if not await desk_exports.claim(connection, job, reader, now):
                return None
        told = await self._told(operator, job, reader)
        async with self.data.begin() as connection:
            now = await self.clock.now(connection)
            if not told:
                await desk_exports.fail(connection, self.rows, job, Why.GONE, now)
                return None
            if not await desk_exports.fetch(connection, job, reader, now):
                return None
        return replace(job, maker=reader, lease_until=now + HANDING)

    async def _told(self, operator: Operator, job: Job, reader: str) -> bool:
        """Say so in the log; False, and nothing told, of who is erased."""
        try:
            if job.subject is None:
                await self.exports.tell_named(job.name or "", taking_of(job))
                return True
            why = await self._why(job)
            return why is not None and (
                await self.handing.tell(job.subject, at_the_desk(operator, why))
            )
        except BaseException:
            with suppress(StorageAway):  # else the lease runs out
                async with self.data.begin() as connection:
                    await desk_exports.unclaim(connection, job, reader)
            raise

    async def pieces(self, job: Job) -> AsyncIterator[bytes]:
        """Its bytes; raises `PersonEnded` where somebody is erased meanwhile."""
        until = job.lease_until
        for n in range(job.pieces):
            until = await self._held(job, until)
            raw = await self._piece(job, n)
            if raw is None:
                raise PersonEnded
            yield raw

    async def _held(self, job: Job, until: datetime | None) -> datetime:
        """Until when it is kept for its reader; renewed in time for the slowest."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
        if until is not None and until - now > HANDING / 2:
            return until
        async with self.data.begin() as connection:
            now = await self.clock.now(connection)
            if not await desk_exports.renew(connection, job, now):
                raise NoSuchExport
        return now + HANDING

    async def _piece(self, job: Job, n: int) -> bytes | None:
        """Raises `SealError` for what was not made in this place, under this name."""
        owner, compartment = job.owner
        async with self.data.read() as connection:
            sealed = await desk_exports.piece(connection, job, n)
        vault = await self.keystore.vault([owner])
        place = job.place(n, last=n == job.pieces - 1)
        return None if sealed is None else vault.open(owner, compartment, place, sealed)

    async def _damage(self, job: Job) -> Why | None:
        """Why it cannot be handed over: the log tells of its name, which no MAC covers."""
        if up_to(job.name or "") is None:
            return Why.FAULT
        try:
            return Why.GONE if await self._piece(job, 0) is None else None
        except SealError:
            return Why.FAULT

    async def close(self, job: Job) -> None:
        """Its reader has it, or went: delete its bytes, many of them a little later."""
        async with self.data.begin() as connection:
            await desk_exports.close(connection, job)

    async def _why(self, job: Job) -> str | None:
        """Why they are looked at; None where nobody can read that any more."""
        if job.subject is None or job.why is None:
            return None
        vault = await self.keystore.vault([job.subject])
        raw = vault.open(job.subject, Compartment.PROFILE, _place(job.id), job.why)
        return None if raw is None else raw.decode()


def _place(name: str) -> tuple[str, str, str]:
    return "desk_export", "why", name
