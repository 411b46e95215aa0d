"""Somebody's proof is needed in a dispute: their erasure waits, and then comes by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories
from audit.kinds import Actor, Kind
from consent import erasures, gates, holds
from consent.erasures import Erasure
from consent.held_evidence import HoldLifted, HoldPlaced
from consent.holds import Hold
from consent.keys.vault import Compartment, Vault
from consent.trail import Trail
from gateway.callers import idempotency
from gateway.callers.idempotency import Clash, Name, Remembered
from gateway.flows.bad_rows import each_for_itself
from gateway.flows.keeping.walk import Walk, stroll
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from storage.errors import StorageAway
from storage.ids import random_id

log = structlog.get_logger()

_AT_ONCE = 200
_TABLE = "hold"
_HELD = "erasure"


class Holds:
    """Places and lifts holds; as a duty, ends those that are over and what waited for them."""

    def __init__(self, erasing: Erasing) -> None:
        self._parts = erasing.parts
        self._erasures = Erasures(erasing)
        self._over: Walk[str] = Walk(_AT_ONCE)
        self._waiting: Walk[str] = Walk(_AT_ONCE)

    async def place(
        self,
        subject: str,
        reason: str,
        until: datetime,
        actor: Actor,
        *,
        caller: str | None = None,
        name: Name | None = None,
    ) -> str | Clash | None:
        """Keep somebody from being erased before *until*; None where nobody is known, or any more.

        What was placed under the *name* of this call before is answered again.

        `StorageAway` where their key is missing: there is nothing left to be kept.
        """
        parts = self._parts
        vault = await parts.keystore.vault([subject])
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            taken = await idempotency.take_one(connection, name, now)
            if isinstance(taken, Remembered):
                return taken.document.decode()
            if isinstance(taken, Clash):
                return taken
            held = await gates.lock(connection, [subject])
            gate = held.get(subject)
            if gate is None or not gate.live:
                await idempotency.end(connection, taken, None)
                return None
            if not gates.usable(gate, vault, Compartment.EVIDENCE):
                log.error("key_missing")
                raise StorageAway("key store")
            now = await parts.clock.now(connection)
            placed, trail = random_id("hol"), Trail(parts.log, vault, held)
            said, kind = HoldPlaced(placed, reason, until), Kind.HOLD_PLACED
            refs = _refs(placed, actor, caller)
            eid = trail.record(kind, subject, actor, now, evidence=said, refs=refs)
            sealed = holds.sealed_reason(subject, placed, reason, vault)
            new = Hold(placed, subject, sealed, placed_at=now, until=until, eid=eid)
            await holds.add(connection, parts.rows, new)
            await idempotency.end(connection, taken, placed)
            await trail.stage(connection)
        return placed

    async def lift(
        self, name: str, actor: Actor, caller: str | None = None, subject: str | None = None
    ) -> bool:
        """End a hold; False where no gateway placed such a one, on *subject*, or it has ended."""
        parts = self._parts
        async with parts.data.read() as connection:
            found = await holds.get(connection, parts.rows, name)
        if found is None or subject not in (None, found.subject):
            return False
        vault = await parts.keystore.vault([found.subject])
        return await self._lift([found], vault, actor, caller) > 0

    async def work_off(self) -> int:
        """End what is over, and carry out what waited for it; how much."""
        ended = await stroll(self._over, self._end_page)
        return ended + await stroll(self._waiting, self._carry_page)

    async def _end_page(self) -> int:
        parts, walk = self._parts, self._over
        async with parts.data.read() as connection:
            now = await parts.clock.now(connection)
            page, over = await holds.over(connection, parts.rows, now, walk.after, walk.limit)
        walk.move(page)
        rows = {one.id: one for one in over}
        return sum(await each_for_itself(parts.data, parts.clock, _TABLE, rows, self._end))

    async def _end(self, over: Sequence[Hold]) -> int:
        vault = await self._parts.keystore.vault({one.subject for one in over})
        return await self._lift(over, vault, Actor.SYSTEM)

    async def _lift(
        self, some: Sequence[Hold], vault: Vault, actor: Actor, caller: str | None = None
    ) -> int:
        parts = self._parts
        async with parts.data.begin() as connection:
            held = await gates.lock(connection, {one.subject for one in some})
            there = await holds.of_subjects(connection, parts.rows, held)
            wanted = {one.id for one in some}
            ending = [one for one in there if one.id in wanted]
            now = await parts.clock.now(connection)
            trail = Trail(parts.log, vault, held)
            for one in ending:
                said, refs = HoldLifted(one.id), _refs(one.id, actor, caller)
                trail.record_leaving(
                    Kind.HOLD_LIFTED, one.subject, actor, now, evidence=said, refs=refs
                )
            await holds.remove(connection, [one.id for one in ending])
            await trail.stage(connection)
        return len(ending)

    async def _carry_page(self) -> int:
        parts, walk = self._parts, self._waiting
        async with parts.data.read() as connection:
            page, waiting = await erasures.held_after(
                connection, parts.rows, walk.after, walk.limit
            )
        walk.move(page)
        rows = {one.id: one for one in waiting}
        return sum(await each_for_itself(parts.data, parts.clock, _HELD, rows, self._carry_out))

    async def _carry_out(self, waiting: Sequence[Erasure]) -> int:
        vault = await self._parts.keystore.vault({one.subject for one in waiting})
        async with self._parts.data.snapshot() as connection:
            free = await self._free(connection, {one.subject for one in waiting}, vault)
        for one in waiting:
            if one.subject in free:
                asked = Question("", subject=one.subject)
                await self._erasures.erase(Request(asked, Actor.SYSTEM, one.channel))
        return len(free)

    async def _free(
        self, connection: AsyncConnection, subjects: set[str], vault: Vault
    ) -> set[str]:
        """Those on whom no hold stands; it is decided again under the gate of each."""
        parts = self._parts
        now = await parts.clock.now(connection)
        known = await gates.peek(connection, subjects)
        # Whose row was altered could not be erased, and would keep the others waiting.
        live = [one for one, gate in known.items() if gate.live and gate.is_honest(parts.rows)]
        told = await histories.of_people(connection, parts.log.macs, live, vault)
        held_back = await holds.held_back(connection, parts.rows, parts.log.macs, told, now)
        return set(live) - held_back


def _refs(hold: str, actor: Actor, caller: str | None) -> dict[str, str]:
    by = "operator" if actor is Actor.OPERATOR else "api_key"
    return {"hold": hold} | ({} if caller is None else {by: caller})
