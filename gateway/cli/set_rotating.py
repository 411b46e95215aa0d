"""`gateway keys rotate --kind K`, and what `keys status` says of the keyring's sets of keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gateway.cli.rotating import COPY
from gateway.cli.talk import fail, progress

if TYPE_CHECKING:
    from consent.keys.phases import Declared
    from consent.keys.sets import KeyName, SetKey
    from gateway.config.config import Config
    from gateway.flows.keeping.set_rotation import SetRotation, SetsSeen
    from gateway.keyfiles.followed_sets import FollowedSets
    from storage.keysets import Key, KeySet


@dataclass(frozen=True, slots=True)
class Shown:
    """Every set of keys of the keyring, and how the keys stand that were ever begun."""

    sets: Mapping[str, KeySet]
    seen: SetsSeen
    held: Mapping[KeyName, Sequence[str]]

    def of(self, kind: str, key: Key) -> SetKey | None:
        found = self.seen.found.of(kind)
        return next((one for one in found if one.name.number == key.kid), None)

    def waits_for(self, kind: str, key: Key) -> str | None:
        """What keeps a key from going on; None where it rests."""
        from consent.keys import set_phases

        one = self.of(kind, key)
        if one is None:
            return None
        lacking = self.seen.lacking.get(one.name, ())
        return set_phases.waits_for(one, lacking, self.held.get(one.name, ()), self.seen.now)


async def show(config: Config) -> Shown:
    """How the sets stand. Changes nothing."""
    async with _opened(config) as (rotation, followed):
        return await _shown(rotation, followed)


async def rotate(config: Config, kind: str, declared: Declared) -> tuple[int | None, Shown]:
    """Begin with a kind, and do all that can be done now with every one; what was begun."""
    async with _opened(config) as (rotation, followed):
        _require(kind, rotation.kinds)
        if followed.lacking:
            keys = ", ".join(followed.lacking)
            raise fail(f"this keyring lacks {keys}: run this where the newest one is")
        declares = declared.no_backups or declared.copies_replaced
        begun = None if declares else await rotation.begin(kind)
        with progress("Making rows anew", None) as tell:
            done = 0
            while did := await rotation.go_on(declared):
                done += did
                tell(done)
        await rotation.learn()
        return begun, await _shown(rotation, followed)


async def write_next(config: Config, kind: str, path: Path) -> None:
    """Store the keyring that is to follow, with another key of this kind; begin nothing."""
    async with _opened(config) as (rotation, followed):
        _require(kind, rotation.kinds)
        followed.write_next(path, kind, (await rotation.look()).found)


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[tuple[SetRotation, FollowedSets]]:
    from gateway.cli.stores import open_own_parts
    from gateway.flows.keeping import endings
    from gateway.flows.keeping.set_rotation import SetRotation
    from gateway.keyfiles.followed import FollowedKeyring
    from gateway.keyfiles.followed_sets import FollowedSets

    async with open_own_parts(config) as parts:
        followed = FollowedSets(FollowedKeyring(config.keys.keyring, parts.keyring))
        opened = (parts.data, parts.key_database, parts.guard, parts.clock)
        kinds = endings.of(*opened, parts.lookup, parts.keystore, followed.sets, parts.publisher)
        stores = (parts.key_database, parts.data, parts.clock, parts.log, parts.rows)
        yield SetRotation(*stores, followed, kinds), followed


def _require(kind: str, kinds: Collection[str]) -> None:
    if kind not in kinds:
        one_of = ", ".join(["kek", *kinds])
        raise typer.BadParameter(f"is one of {one_of}", param_hint="--kind")


async def _shown(rotation: SetRotation, followed: FollowedSets) -> Shown:
    seen = await rotation.look()
    return Shown(followed.sets, seen, await rotation.held(seen))


def lines(begun: int | None, kind: str, shown: Shown) -> Sequence[str]:
    """What was done, and what each key of a kind that does not rest waits for."""
    said = [] if begun is None else [f"{kind} {begun} is announced. {COPY}"]
    for key in shown.sets[kind].keys:
        waits = shown.waits_for(kind, key)
        name = f"{kind} {key.kid}"
        said.append(f"{name} is {state(kind, key, shown)}" + (f": {waits}" if waits else ""))
    return said


def document(shown: Shown) -> dict[str, Any]:
    """Every set for a machine."""
    return {
        kind: [
            {
                "kid": key.kid,
                "state": state(kind, key, shown),
                "waits_for": shown.waits_for(kind, key),
            }
            for key in keys.keys
        ]
        for kind, keys in shown.sets.items()
    }


def rows(shown: Shown) -> Sequence[tuple[str, ...]]:
    """The same for a table."""
    return [
        (kind, str(key.kid), state(kind, key, shown), shown.waits_for(kind, key) or "")
        for kind, keys in shown.sets.items()
        for key in keys.keys
    ]


def state(kind: str, key: Key, shown: Shown) -> str:
    """As the key store has it; where that knows nothing of a key, as the keyring."""
    one = shown.of(kind, key)
    return str(key.state if one is None else one.state)
