"""Keys of the keyring's sets follow each other: every process learns how they stand, and goes on.

As with key-encryption keys an operator begins (`gateway keys rotate --kind K`), and duties do the
rest, from wherever a process that did it ended. What a kind has to do before its old key may go is
its `Ending`'s; everything else is here, alike for all kinds
(`docs/adr/0034-keys-of-sets-follow-each-other.md`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from consent.keys import nodes, set_phases, sets, verified
from consent.keys.nodes import Held
from consent.keys.phases import Backup, Declared
from consent.keys.set_phases import Activate, Destroy, Release, Renew, Retire, Step
from consent.keys.sets import KeyName, SetKey, Standing
from consent.keys.wrapping import proof
from gateway.keyfiles.followed_sets import FollowedSets
from storage.clock import Clock, elapsed
from storage.database import Database
from storage.honesty import RowKeys
from storage.keysets import Key, KeyState
from storage.locks import oldest_open

NOTHING_DECLARED = Declared()
# After a look through whole tables that found nothing: when the next one is due.
_LOOK_AGAIN = timedelta(hours=1)
_Change = Callable[[AsyncConnection, RowKeys, KeyName, datetime], Awaitable[bool]]
_CHANGES: Mapping[type[Step], _Change] = {
    Activate: sets.activate,
    Retire: sets.retire,
    Release: sets.release,
    Destroy: sets.destroy,
}


class Ending(Protocol):
    """What a kind of key does with rows before another one is used, and before its old one goes.

    Each call is a little work, in transactions of its own, safe to repeat and beside itself.
    """

    async def tell(self, number: int) -> None:
        """Whatever nodes that lack this key must know before any row is made with it."""

    async def renew(self, old: int) -> int | None:
        """Make some of what *old* made anew, with the active key; how much.

        0: no more can be. None: another process is at it.
        """

    async def held(self, old: SetKey) -> Sequence[str]:
        """What needs *old* still, in words for the operator; nothing: it may go.

        *old* made nothing after its `since`, but for who stood still then.
        """

    async def sweep(self, old: int) -> int:
        """Delete some of what *old*, which our keyring let go of, left behind; how much."""


@dataclass(frozen=True, slots=True)
class SetsSeen:
    """Every key of the sets that was begun, and which processes run without which of them."""

    found: Standing
    running: int
    lacking: Mapping[KeyName, Sequence[str]]
    backup: Backup | None
    now: datetime


class SetRotation:
    """The rotation of sets as one process sees it; any number of them may drive it at once."""

    def __init__(
        self,
        keys: Database,
        data: Database,
        clock: Clock,
        log: Log,
        rows: RowKeys,
        followed: FollowedSets,
        endings: Mapping[str, Ending],
    ) -> None:
        self._keys = keys
        self._data = data
        self._clock = clock
        self._log = log
        self._rows = rows
        self._followed = followed
        self._endings = endings
        self._next_look: dict[KeyName, datetime] = {}

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds whose keys can follow each other."""
        return sorted(self._endings)

    async def keep(self) -> int:
        """Learn how the keys stand, and go on with what is under way."""
        await self.learn()
        return await self.go_on()

    async def learn(self) -> None:
        """Work with the keys as the key store says from here on."""
        asked_at = elapsed()
        found = await self._found()
        gone = [one.name for one in found.keys if self._is_over(one) and not await self._held(one)]
        self._followed.stand(found, gone, asked_at)

    async def _found(self) -> Standing:
        async with self._keys.read() as connection:
            found = await sets.standing(connection, self._rows)
        if found == Standing():
            async with self._keys.begin() as connection:
                now = await self._clock.now(connection)
                await sets.install(connection, self._rows, self._rows.keys, now)
        return found

    async def look(self) -> SetsSeen:
        """How it stands. Changes nothing."""
        async with self._keys.read() as connection:
            now = await self._clock.now(connection)
            found = await sets.standing(connection, self._rows)
            running = await nodes.running(connection, now)
            backup = await verified.newest(connection, self._rows)
        lacking = {
            one.name: nodes.without(running, Held(*one.name, one.proof))
            for one in found.keys
            if one.state in (KeyState.ANNOUNCED, KeyState.ACTIVE)
        }
        return SetsSeen(found, len(running), lacking, backup, now)

    async def held(self, seen: SetsSeen) -> dict[KeyName, Sequence[str]]:
        """What needs each retiring key still."""
        retiring = [one for one in seen.found.keys if one.state is KeyState.RETIRING]
        return {one.name: await self._endings[one.name.kind].held(one) for one in retiring}

    async def begin(self, kind: str) -> int | None:
        """Announce the next key of a kind, which is in our keyring's file before.

        None while one is new. One that was lost with the machine that announced it is given up.
        """
        seen = await self.look()
        for lost in self._lost(seen, kind):
            async with self._keys.begin() as connection:
                now = await self._clock.now(connection)
                await sets.give_up(connection, self._rows, lost, now)
        async with self._keys.read() as connection:
            found = await sets.standing(connection, self._rows)
        if not set_phases.may_begin(found.of(kind), seen.now):
            return None
        number = self._begun(kind, found)
        key = self._followed.make(kind, number)
        async with self._keys.begin() as connection:
            now = await self._clock.now(connection)
            new = _as_told(kind, key, now)
            mine = self._followed.sets[kind].keys
            beside = [_as_told(kind, one, now) for one in mine if one.secret and one.kid != number]
            await sets.announce(connection, self._rows, new, beside)
        await self._tell()
        return number

    async def go_on(self, declared: Declared = NOTHING_DECLARED) -> int:
        """Do what can be done now; how much it was. Safe to repeat, and beside itself."""
        seen = await self.look()
        keys = [one for one in seen.found.keys if one.name.kind in self._endings]
        steps = set_phases.next_steps(keys, seen.lacking, seen.backup, declared)
        done = [await self._do(step, seen) for step in steps]
        done += [await self._sweep(one) for one in keys if one.released_at is not None]
        if any(done):
            await self.learn()
        if any(done) or _news(seen.found):
            await self._tell()
        return sum(done)

    async def _do(self, step: Step, seen: SetsSeen) -> int:
        (one,) = [key for key in seen.found.keys if key.name == step.name]
        if isinstance(step, Renew):
            return await self._renew(one, seen)
        before = await self._before(step, one)
        return await self._change(_CHANGES[type(step)], step.name) if before is None else before

    async def _before(self, step: Step, one: SetKey) -> int | None:
        """How much was done instead of a step, which comes later; None: its turn has come."""
        match step:
            case Activate() | Retire() if not self._holds(one):
                return 0  # what we cannot use we do not put into use, nor make anew
            case Activate(name):
                await self._endings[name.kind].tell(name.number)
            case Release() if await self._held(one):
                return 0  # it came back: by an older backup, or by somebody's hand
            case Destroy():
                return await self._sweep(one) or None
            case _:
                pass
        return None

    async def _renew(self, one: SetKey, seen: SetsSeen) -> int:
        """A page; behind the last it is written down that nothing is left, if nobody adds to it."""
        active = [key for key in seen.found.of(one.name.kind) if key.state is KeyState.ACTIVE]
        if not active or not all(map(self._holds, (one, *active))):
            return 0
        if seen.now < self._next_look.get(one.name, seen.now):
            return 0
        done = await self._endings[one.name.kind].renew(one.name.number)
        if done != 0:
            return done or 0
        self._next_look[one.name] = seen.now + _LOOK_AGAIN
        async with self._data.read() as connection:
            oldest = await oldest_open(connection)
        behind = any(seen.lacking.get(key.name) for key in active)
        if behind or not set_phases.rested(one, seen.now, oldest) or await self._held(one):
            return 0
        return await self._change(sets.note_renewed, one.name)

    async def _change(self, change: _Change, name: KeyName) -> int:
        async with self._keys.begin() as connection:
            now = await self._clock.now(connection)
            return int(await change(connection, self._rows, name, now))

    async def _sweep(self, one: SetKey) -> int:
        """What other processes that hold it still may add they delete in their turn."""
        if self._holds(one) or one.state is not KeyState.RETIRING:
            return 0
        return await self._endings[one.name.kind].sweep(one.name.number)

    async def _held(self, one: SetKey) -> Sequence[str]:
        return await self._endings[one.name.kind].held(one)

    def _is_over(self, one: SetKey) -> bool:
        """Whether our keyring has a key that is to go."""
        over = one.released_at is not None or one.state is KeyState.DESTROYED
        return over and one.name.kind in self._endings and self._holds(one)

    def _holds(self, one: SetKey) -> bool:
        secret = self._followed.sets[one.name.kind].get(one.name.number)
        return secret is not None and proof(secret) == one.proof

    def _lost(self, seen: SetsSeen, kind: str) -> list[KeyName]:
        """Announced keys that neither a process that runs nor we hold."""
        return [
            one.name
            for one in seen.found.of(kind)
            if one.state is KeyState.ANNOUNCED
            and len(seen.lacking[one.name]) == seen.running
            and not self._holds(one)
        ]

    def _begun(self, kind: str, found: Standing) -> int:
        """The next number; that of a key whose run was ended before it could tell of it."""
        told = {one.name.number for one in found.of(kind)}
        keys = self._followed.sets[kind].keys
        untold = [k.kid for k in keys if k.state is KeyState.ANNOUNCED and k.kid not in told]
        return max(untold, default=set_phases.following(keys, found, kind))

    async def _tell(self) -> None:
        """Tell the log of each state that it was not told of."""
        async with self._keys.read() as connection:
            found = await sets.standing(connection, self._rows)
        for one in _news(found):
            async with self._data.begin() as connection:
                now = await self._clock.now(connection)
                refs = {"kind": one.name.kind, "number": str(one.name.number)}
                refs |= {"state": str(one.state)}
                event = Event(Kind.KEY_ROTATED, Actor.SYSTEM, now, refs=refs)
                await self._log.stage(connection, [draft(event, None, self._log.node)])
            async with self._keys.begin() as connection:
                await sets.told(connection, one)


def _news(found: Standing) -> Sequence[SetKey]:
    return [key for key in found.keys if key.told != key.state]


def _as_told(kind: str, key: Key, now: datetime) -> SetKey:
    """A key as our keyring has it; that it is so is no news to the log, but of a new one."""
    if key.secret is None:
        raise ValueError("a key that is destroyed is told of already")
    told = None if key.state is KeyState.ANNOUNCED else str(key.state)
    return SetKey(KeyName(kind, key.kid), key.state, now, proof(key.secret), told=told)
