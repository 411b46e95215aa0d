"""A form is posted: keep it sealed and answer; everything else happens later.

The answer is given before the address is looked at, so it cannot tell a
stranger anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import intakes
from consent.intakes import Under
from consent.sign_ups import SignUp
from gateway import limits
from gateway.errors import TooMany
from gateway.parts import Parts
from storage.secret import Secret


@dataclass(frozen=True, slots=True)
class Posted:
    """A sign-up and whose network it came from, as far as that is known."""

    sign_up: SignUp
    network: str | None = field(repr=False)


async def accept(parts: Parts, sign_up: SignUp, network: str | None) -> None:
    """Keep an acknowledged sign-up; raises `TooMany` for network and form limits only.

    Once this returned the sign-up survives the process. The work does not
    depend on whether the address is known.
    """
    (wait,) = await accept_all(parts, [Posted(sign_up, network)])
    if wait is not None:
        raise TooMany(wait)


async def accept_all(parts: Parts, posted: Sequence[Posted]) -> list[timedelta | None]:
    """Keep sign-ups in one transaction; answers for each how long to wait, None when it is kept.

    What one of them is refused for stops no other. Limits of network and form
    are told; those of address and domain act later, silently.
    """
    wall = parts.clock.wall()
    under = Under(*await parts.keystore.intake_key(wall), parts.keyring.blind_index)
    (_, weekly), *_ = await parts.keystore.limit_keys(wall)
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        waits = [await _wait_of(parts, connection, weekly, one, now) for one in posted]
        kept = [one.sign_up for one, wait in zip(posted, waits, strict=True) if wait is None]
        if kept:
            rows = [intakes.seal_sign_up(one, under, now) for one in kept]
            await intakes.add(connection, rows)
    return waits


async def _wait_of(
    parts: Parts, connection: AsyncConnection, weekly: Secret, one: Posted, now: datetime
) -> timedelta | None:
    """Network first: a flood from one network must not use up the form for all others."""
    if not parts.config.limits.enabled:
        return None
    counted = [(limits.FORM, one.sign_up.form)]
    if one.network is not None:
        counted.insert(0, (limits.NETWORK, one.network))
    for limit, value in counted:
        wait = await limits.hit(connection, limits.limit_key(weekly, limit, value), limit, now)
        if wait is not None:
            return wait
    return None
