"""A form is posted: keep it sealed and answer; everything else happens later.

The answer is given before the address is looked at, so it cannot tell a
stranger anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import intakes
from consent.intakes import Under
from consent.sign_ups import SignUp
from gateway import limits
from gateway.limits import Wait
from gateway.parts import Parts
from storage.secret import Secret


@dataclass(frozen=True, slots=True)
class Posted:
    """A sign-up and whose network it came from, as far as that is known."""

    sign_up: SignUp
    network: str | None = field(repr=False)


async def accept(parts: Parts, sign_up: SignUp, network: str | None) -> Wait | None:
    """Keep a sign-up; None once it is acknowledged, else how long to wait.

    Once kept it survives the process. The work does not depend on whether the
    address is known.
    """
    (wait,) = await accept_all(parts, [Posted(sign_up, network)])
    return wait


async def accept_all(parts: Parts, posted: Sequence[Posted]) -> list[Wait | None]:
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
) -> Wait | None:
    if not parts.config.limits.enabled:
        return None
    return await limits.of_post(connection, weekly, one.sign_up.form, one.network, now)
