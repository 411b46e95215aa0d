"""Keys that an older key store brought back, or lacks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from audit.kinds import Actor, Kind
from consent import erasures, gates, intakes, taken_away
from consent.keys.vault import OF_PEOPLE, Compartment
from consent.model import SubjectState
from gateway.callers import operators
from gateway.flows.restoring import uncounted
from gateway.flows.restoring.replay import CHANNEL
from gateway.flows.rights import erasing
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question

_AT_ONCE = 1000
_NOT_LOCKED = frozenset(OF_PEOPLE) - {Compartment.EVIDENCE}
Tell = Callable[[int], None]  # how many people were looked at


@dataclass(frozen=True, slots=True)
class Apart:
    """People of whom data and key store tell different things."""

    erased: Sequence[str]  # the ledger says so, and the data do not
    keyless: Sequence[str]  # nothing of theirs can be read by anybody
    damaged: int = 0  # people who lack some keys; what is left of them stays


class Keys:
    """Brings data and key store together again; every step may be repeated."""

    def __init__(self, erasing: Erasing, erasures: Erasures) -> None:
        self._erasing = erasing
        self._erasures = erasures
        self._parts = erasing.parts

    async def destroy_again(self) -> int:
        """Destroy the keys of whoever was erased before; returns of how many people.

        Asked are the requests that are kept, and what the guard's store tells. Whose rows
        are gone for longer nobody names, and their keys go with those that nobody took up.
        """
        parts, count, last = self._parts, 0, None
        async with parts.data.read() as connection:
            known = await erasures.standing(connection, parts.rows)
        done = {one.subject for one in known.values() if one is not None and one.done_at}
        count += await self._destroy(done)
        while True:
            async with parts.guard.read() as connection:
                ids, page = await taken_away.after(connection, parts.rows, last, _AT_ONCE)
            if not ids:
                break
            last = ids[-1]
            kind = Kind.SUBJECT_ERASURE_STARTED
            count += await self._destroy({one.subject for one in page if one.kind == kind})
        await parts.key_database.empty_wal()
        return count

    async def sweep(self) -> None:
        """Let go of keys that no data name; not where the data are older than the keys."""
        parts = self._parts

        async def named(subjects: Sequence[str]) -> set[str]:
            async with parts.data.read() as connection:
                people = await gates.named(connection, subjects)
                return people | await operators.named(connection, subjects)

        await parts.keystore.sweep(named, parts.clock.wall())
        await parts.key_database.empty_wal()

    async def _destroy(self, subjects: Collection[str]) -> int:
        parts = self._parts
        async with parts.data.read() as connection:
            known = await gates.peek(connection, subjects)
        whole = set(subjects) - known.keys()
        locked = {one for one, gate in known.items() if gate.state is SubjectState.ERASED}
        done, count = await parts.keystore.erased(subjects), 0
        held = await parts.keystore.held(subjects)
        for theirs, compartments in ((whole, frozenset(OF_PEOPLE)), (locked, _NOT_LOCKED)):
            left = [
                one
                for one in theirs
                if any((one, c) in held or (one, c) not in done for c in compartments)
            ]
            await parts.keystore.erase(left, compartments, parts.clock.wall())
            count += len(left)
        return count

    async def apart(self, tell: Tell) -> Apart:
        """Look at everybody who is here; memory grows with those that differ alone."""
        parts, last, looked = self._parts, None, 0
        gone: list[str] = []
        lost: list[str] = []
        damaged = 0
        while True:
            async with parts.data.read() as connection:
                page = await gates.after(connection, last, _AT_ONCE)
                known = await gates.peek(connection, page)
            if not page:
                return Apart(gone, lost, damaged)
            last, looked = page[-1], looked + len(page)
            live = [one for one, gate in known.items() if gate.live]
            ledger = {one for one, _ in await parts.keystore.erased(live)}
            held = await parts.keystore.held(live)
            gone += [one for one in live if one in ledger]
            for one in (one for one in live if one not in ledger):
                there = sum((one, c) in held for c in OF_PEOPLE)
                if not there:
                    lost.append(one)
                damaged += 0 < there < len(OF_PEOPLE)
            tell(looked)

    async def bring_together(self, apart: Apart) -> None:
        """Erase who was erased; let go of whom nobody can read, or mail, any more."""
        parts = self._parts
        held = await parts.keystore.held(apart.erased)
        for subject in apart.erased:
            if (subject, Compartment.EVIDENCE) in held:
                asked = Request(Question("", subject=subject), Actor.SYSTEM, CHANNEL)
                await self._erasures.erase(asked)
        rest = [one for one in apart.erased if (one, Compartment.EVIDENCE) not in held]
        rest += apart.keyless
        for start in range(0, len(rest), _AT_ONCE // 10):
            await self._let_go(rest[start : start + _AT_ONCE // 10])

    async def _let_go(self, subjects: Sequence[str]) -> None:
        parts = self._parts
        await uncounted.note(self._erasing, subjects)
        async with parts.data.begin() as connection:
            held = await gates.lock(connection, subjects)
            now = await parts.clock.now(connection)
            going = [gate for gate in held.values() if not gate.gone(parts.rows)]
            await erasing.begin(parts.log, connection, parts.rows, parts.lookup, None, going, now)
        await self._erasing.finish(subjects)

    async def intake_keys(self) -> set[str]:
        """Of those that requests are sealed under, which are in the store."""
        async with self._parts.data.read() as connection:
            named = await intakes.keys_in_use(connection)
        return await self._parts.keystore.known_intake_keys(named)
