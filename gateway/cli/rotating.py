"""`gateway keys rotate`: begins a rotation, drives what is under way, says what it waits for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.talk import fail, progress

if TYPE_CHECKING:
    from consent.keys.phases import Declared
    from gateway.config.config import Config
    from gateway.flows.keeping.rotation import Rotation, Standing

COPY = "Copy the keyring now: to a safe place, and to every machine that has one of its own."


async def rotate(config: Config, declared: Declared) -> tuple[int | None, Standing]:
    """Do all that can be done now; the epoch that was begun, if one was, and how it stands."""
    async with _opened(config) as rotation:
        begun = None if _only_declares(declared) else await rotation.begin()
        await _drive(rotation, declared)
        return begun, await rotation.look()


async def write_next(config: Config, _kind: str, path: Path) -> None:
    """Store the keyring that is to follow at *path*, and begin nothing."""
    async with _opened(config) as rotation:
        await rotation.write_next(path)


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Rotation]:
    from gateway.cli.stores import open_own_parts
    from gateway.flows.keeping.rotation import Rotation
    from gateway.keyfiles.followed import FollowedKeyring

    async with open_own_parts(config) as parts:
        ring = FollowedKeyring(config.keys.keyring, parts.keyring)
        stores = parts.key_database, parts.data
        rotation = Rotation(*stores, parts.clock, parts.log, parts.rows, ring)
        if missing := await rotation.lacking():
            numbers = ", ".join(map(str, missing))
            raise fail(f"this keyring lacks epoch {numbers}: run this where the newest one is")
        yield rotation


def _only_declares(declared: Declared) -> bool:
    return declared.no_backups or declared.copies_replaced


async def _drive(rotation: Rotation, declared: Declared) -> None:
    with progress("Wrapping keys anew", None) as tell:
        done = 0
        while did := await rotation.go_on(declared):
            done += did
            tell(done)
    await rotation.let_go()


def lines(begun: int | None, seen: Standing) -> Sequence[str]:
    """What was done, and what each epoch that does not rest waits for."""
    from consent.keys import phases
    from consent.keys.epochs import EpochState

    said = [] if begun is None else [f"epoch {begun} is announced. {COPY}"]
    for one in seen.epochs:
        names = seen.waited_for.get(one.epoch, ())
        if one.state is EpochState.ANNOUNCED and names:
            said.append(f"epoch {one.epoch} waits for processes that lack it: {', '.join(names)}")
        elif one.state is EpochState.ANNOUNCED:
            said.append(f"epoch {one.epoch} waits for a process that makes keys just now")
        elif one.state is EpochState.DESTROYED and one.rewrapped_at is None:
            said.append(f"epoch {one.epoch} was given up: its key was lost before it was used")
        elif one.state is EpochState.ACTIVE:
            said.append(f"epoch {one.epoch} is active")
        elif (until := phases.recoverable(one)) is not None:
            said.append(
                f"epoch {one.epoch} is retiring: what it wrapped is recoverable from copies"
                f" until {until}"
            )
    return said


def document(begun: int | None, seen: Standing) -> dict[str, Any]:
    """The same for a machine."""
    from consent.keys import phases

    return {
        "begun": begun,
        "epochs": [
            {
                "epoch": one.epoch,
                "state": one.state,
                "waits_for": list(seen.waited_for.get(one.epoch, ())),
                "recoverable_until": phases.recoverable(one),
            }
            for one in seen.epochs
        ],
    }
