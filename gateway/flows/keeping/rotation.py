"""Key-encryption keys follow each other: every process reports, and drives what is under way.

An operator begins (`gateway keys rotate`), for a key that made itself would be on
no copy of a keyring. What is begun goes on by itself, from wherever a process
that did it ended. Between the stores: the key store changes first, then the log
is told; who ends in between tells it once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent.keys import epochs, nodes, phases, verified
from consent.keys.epochs import Epoch, EpochState
from consent.keys.nodes import KEK, Held
from consent.keys.phases import (
    Activate,
    Backup,
    Declared,
    Destroy,
    Release,
    Retire,
    Rewrap,
    Step,
    Wait,
)
from consent.keys.rewrap import Rewrapping
from consent.keys.wrapping import Wrapper, proof, proofs
from gateway.keyfiles import followed_sets
from gateway.keyfiles.followed import FollowedKeyring
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys
from storage.ids import random_id

NOTHING_DECLARED = Declared()
_CHANGES = {Retire: epochs.retire, Release: epochs.release, Destroy: epochs.destroy}
# Seconds of wrapping anew between two looks, for a process has to say that it runs.
_SLICE = 1.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Every epoch, and who runs and lacks which new key."""

    epochs: Sequence[Epoch]
    running: int
    waited_for: Mapping[int, Sequence[str]]
    backup: Backup | None

    def lost(self, held: Mapping[int, str]) -> list[int]:
        """Epochs that were announced, and whose key neither a process that runs nor we hold."""
        lacked = {n for n, names in self.waited_for.items() if len(names) == self.running}
        return [one.epoch for one in self.epochs if one.epoch in lacked and not one.held_by(held)]


class Rotation:
    """The rotation as one process sees it; any number of them may drive it at once."""

    def __init__(
        self,
        keys: Database,
        data: Database,
        clock: Clock,
        log: Log,
        rows: RowKeys,
        keyring: FollowedKeyring,
    ) -> None:
        self._keys = keys
        self._data = data
        self._clock = clock
        self._log = log
        self._rows = rows
        self._keyring = keyring
        self._id = random_id("nod")
        self._rewrapping: Rewrapping | None = None

    async def keep(self) -> int:
        """Learn what the keyring's file got, say what we hold, let go, and go on."""
        self._keyring.refresh()
        await self._report()
        # Who lacks a key runs all the same, and reads nothing of these.
        seen = await self.look()
        await self._drop(seen.epochs)
        return await self._work_off(seen)

    async def _report(self) -> None:
        held = self._held()
        async with self._keys.read() as connection:
            now = await self._clock.now(connection)
            if await nodes.is_said(connection, self._id, held, now):
                return
        async with self._keys.begin() as connection:
            now = await self._clock.now(connection)
            await nodes.report(connection, self._id, self._log.node, held, now)

    async def lacking(self) -> list[int]:
        """The epochs that wrap keys and that our keyring lacks."""
        async with self._keys.read() as connection:
            return await epochs.lacking(connection, self._rows, self._proofs())

    async def let_go(self) -> None:
        """Forget what nothing needs any more, in the keyring's file too."""
        async with self._keys.read() as connection:
            found = await epochs.standing(connection, self._rows)
        await self._drop(found)

    async def look(self) -> Standing:
        """How it stands. Changes nothing."""
        async with self._keys.read() as connection:
            now = await self._clock.now(connection)
            found = await epochs.standing(connection, self._rows)
            running = await nodes.running(connection, now)
            backup = await verified.newest(connection, self._rows)
        return Standing(found, len(running), nodes.waited_for(found, running), backup)

    async def begin(self) -> int | None:
        """Announce the next epoch, which is in our keyring's file before; None while one is new.

        One that was lost with the machine that announced it is given up.
        """
        for lost in (await self.look()).lost(self._proofs()):
            async with self._keys.begin() as connection:
                now = await self._clock.now(connection)
                await epochs.give_up(connection, self._rows, lost, now)
        async with self._keys.read() as connection:
            found = await epochs.standing(connection, self._rows)
        if not phases.may_begin(found):
            return None
        announced = {one.epoch: one.proof for one in found if one.honest and one.proof}
        known = phases.known(found, self._keyring.ring.keks)
        number = self._keyring.make_kek(known, announced)
        async with self._keys.begin() as connection:
            now = await self._clock.now(connection)
            mark = proof(self._keyring.ring.keks[number])
            await epochs.announce(connection, self._rows, number, mark, now)
        await self._tell()
        return number

    async def write_next(self, path: Path) -> None:
        """Store the keyring that is to follow ours, for whoever keeps ours as a secret."""
        async with self._keys.read() as connection:
            found = await epochs.standing(connection, self._rows)
        held = self._keyring.ring.keks
        known = phases.known(found, held) if phases.may_begin(found) else []
        self._keyring.write_next(path, known, await self._unused(_over(found)))

    async def go_on(self, declared: Declared = NOTHING_DECLARED) -> int:
        """Do what can be done now; how much it was. Safe to repeat, and beside itself."""
        return await self._work_off(await self.look(), declared)

    async def _work_off(self, seen: Standing, declared: Declared = NOTHING_DECLARED) -> int:
        steps = phases.next_steps(seen.epochs, seen.waited_for, seen.backup, declared)
        done = [await self._do(step, seen) for step in steps]
        if any(done) or _news(seen.epochs):
            await self._tell()
        return sum(done)

    async def _do(self, step: Step, seen: Standing) -> int:
        match step:
            case Wait():
                return 0
            case Activate(number) | Retire(number) if not self._holds(number, seen.epochs):
                return 0  # what we cannot use we do not put into use, nor wrap anew
            case Activate(number):
                return await self._activate(number)
            case Rewrap(old):
                return await self._rewrap(old, seen.epochs)
            case Retire() | Release() | Destroy():
                change = _CHANGES[type(step)]
        async with self._keys.begin() as connection:
            now = await self._clock.now(connection)
            return int(await change(connection, self._rows, step.epoch, now))

    async def _activate(self, number: int) -> int:
        async with self._keys.begin() as connection:
            now = await self._clock.now(connection)
            held = self._keyring.ring.keks
            return int(await epochs.activate(connection, self._rows, held, number, now))

    async def _rewrap(self, old: int, found: Sequence[Epoch]) -> int:
        """Some pages; behind the last it is written down that nothing is left."""
        ring = self._keyring.ring
        wrapping = [one.epoch for one in found if one.honest and one.state is EpochState.ACTIVE]
        if not all(self._holds(number, found) for number in wrapping):
            return 0
        if old not in ring.keks:
            # Gone from here it is over, and its row was put back; or it is another machine's to do.
            return await self._note_rewrapped(old)
        if not self._holds(old, found):
            return 0
        if self._rewrapping is None or self._rewrapping.old != old:
            self._rewrapping = Rewrapping(self._keys, Wrapper(ring.keks, old, self._rows), old)
        wrapped = await self._rewrapping.go_on(_SLICE)
        if wrapped is not None:
            return wrapped
        self._rewrapping = None
        return await self._note_rewrapped(old)

    async def _note_rewrapped(self, old: int) -> int:
        """Write down that nothing is wrapped under it, where that is so."""
        async with self._keys.begin() as connection:
            now = await self._clock.now(connection)
            return int(await epochs.note_rewrapped(connection, self._rows, old, now))

    def _held(self) -> list[Held]:
        keks = [Held(KEK, number, mark) for number, mark in sorted(self._proofs().items())]
        return [*keks, *followed_sets.held(self._keyring.ring.sets)]

    def _proofs(self) -> dict[int, str]:
        return proofs(self._keyring.ring.keks)

    def _holds(self, number: int, found: Sequence[Epoch]) -> bool:
        """What we cannot use we do not put into use, nor say of it that nothing is left."""
        mine = self._proofs()
        return any(one.epoch == number and one.held_by(mine) for one in found)

    async def _drop(self, found: Sequence[Epoch]) -> None:
        gone = await self._unused([n for n in _over(found) if n in self._keyring.ring.keks])
        wrapping = [one for one in found if one.honest and one.state is EpochState.ACTIVE]
        if gone and wrapping and wrapping[0].held_by(self._proofs()):
            self._keyring.let_go(gone, wrapping[0].epoch)

    async def _unused(self, over: Sequence[int]) -> list[int]:
        """Those that wrap nothing, whatever their rows say: a key that goes does for good."""
        if not over:
            return []
        async with self._keys.read() as connection:
            return [number for number in over if not await epochs.wraps(connection, number)]

    async def _tell(self) -> None:
        """Tell the log of each state that it was not told of."""
        async with self._keys.read() as connection:
            found = await epochs.standing(connection, self._rows)
        for one in _news(found):
            async with self._data.begin() as connection:
                now = await self._clock.now(connection)
                refs = {"kind": KEK, "number": str(one.epoch), "state": str(one.state)}
                event = Event(Kind.KEY_ROTATED, Actor.SYSTEM, now, refs=refs)
                await self._log.stage(connection, [draft(event, None, self._log.node)])
            async with self._keys.begin() as connection:
                await epochs.told(connection, one)


def _news(found: Sequence[Epoch]) -> list[Epoch]:
    """What the log was not told of; rows of the first release are signed once they change."""
    return [one for one in found if one.honest and one.told != one.state]


def _over(found: Sequence[Epoch]) -> list[int]:
    return [one.epoch for one in found if one.honest and one.released_at is not None]
