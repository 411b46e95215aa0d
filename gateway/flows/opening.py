"""What people asked for is opened where it is worked off: the one way of every kind of request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from consent.intakes import Intake, Opened
from consent.keys.keystore import KeyStore
from storage.secret import Secret
from storage.turns import in_turns

log = structlog.get_logger()

T = TypeVar("T")


async def opened(
    keystore: KeyStore,
    waiting: Sequence[Intake],
    read: Callable[[Sequence[Intake], Mapping[str, Secret]], Opened[T]],
) -> Mapping[str, T]:
    """What *waiting* say, by their ids, as *read* of `consent.intakes` opens them.

    One that no key opens is left out: its key was destroyed on purpose. So is one that is
    damaged, and the log says so.
    """
    keys = await keystore.intake_keys({intake.key_id for intake in waiting})
    said: dict[str, T] = {}
    async for intake in in_turns(waiting):
        found = read([intake], keys)
        if found.damaged:
            log.error("intake_not_opened", key_id=intake.key_id)
        said |= found.said
    return said
