"""A form is posted: keep it sealed and answer; everything else happens later.

The answer is given before the address is looked at, so it cannot tell a
stranger anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import intakes
from consent.intakes import Under
from consent.marks import GRACE
from consent.sign_ups import SignUp
from gateway.door import Visit
from gateway.flows.joining import attestations, contested
from gateway.flows.joining.attestations import Attestation, Use
from gateway.flows.joining.neighbourhoods import neighbourhood
from gateway.limits import Wait
from gateway.parts import Parts
from storage.errors import StorageAway
from storage.secret import Secret


@dataclass(frozen=True, slots=True)
class Posted:
    """A sign-up and whose network it came from, as far as that is known.

    One that was made of what is known of a person counts as received when that
    was looked at. An *attestation* says who showed the wording; it is proven
    where it is spent by this post.
    """

    sign_up: SignUp
    network: str | None = field(repr=False)
    looked_at: datetime | None = None
    attestation: Attestation | None = None

    @property
    def visit(self) -> Visit:
        return Visit(self.sign_up.form, self.network)

    def kept(self, weekly: Sequence[Secret]) -> SignUp:
        """What of it is sealed; of the network no more than the limits of an address ask for."""
        return replace(
            self.sign_up,
            network=neighbourhood(self.network),
            origins=contested.origins(weekly, self.sign_up.email, self.network),
        )


async def accept(
    parts: Parts, sign_up: SignUp, network: str | None, looked_at: datetime | None = None
) -> Wait | None:
    """Keep a sign-up; None once it is acknowledged, else how long to wait.

    Once kept it survives the process. The work does not depend on whether the
    address is known.
    """
    (wait,) = await accept_all(parts, [Posted(sign_up, network, looked_at)])
    return wait


async def accept_all(parts: Parts, posted: Sequence[Posted]) -> list[Wait | None]:
    """Keep sign-ups in one transaction; answers for each how long to wait, None when it is kept.

    The same post again, by its stamp, is answered as the first was, and kept no
    second time. What one of them is refused for stops no other. Limits of network and form
    are told; those of address and domain act later, silently. Raises
    `KeyringBehind` where nobody can be looked up.
    """
    parts.lookup.require()
    weekly = [secret for _, secret in await parts.keystore.limit_keys(parts.clock.wall())]
    waits = parts.door.waiting(weekly[0], [one.visit for one in posted])
    free = [n for n, wait in enumerate(waits) if wait is None]
    if free:
        told = await _keep(parts, weekly, [posted[n] for n in free])
        waits = [told.pop(0) if wait is None else wait for wait in waits]
    return waits


async def _keep(
    parts: Parts, weekly: Sequence[Secret], posted: Sequence[Posted]
) -> list[Wait | None]:
    intake_key = await parts.keystore.intake_key(parts.clock.wall())
    under = Under(*intake_key, *parts.lookup.newest)
    async with parts.data.begin() as connection:
        held = await parts.door.hold(connection, weekly, [one.visit for one in posted])
        now = await parts.clock.now(connection)
        if any(one.looked_at is not None and one.looked_at < now - GRACE / 2 for one in posted):
            raise StorageAway(parts.data.name)  # who left since may have left no mark any more
        waits = await held.count(connection, now)
        let_in = [one for one, wait in zip(posted, waits, strict=True) if wait is None]
        kept = await _proven(connection, let_in, now)
        if kept:
            rows = [
                intakes.seal_sign_up(one.kept(weekly), under, min(now, one.looked_at or now))
                for one in kept
            ]
            await intakes.add(connection, rows)
            parts.keystore.require_in_time(under.key_id)
    return waits


async def _proven(
    connection: AsyncConnection, posted: Sequence[Posted], now: datetime
) -> list[Posted]:
    """What is to be kept of *posted*, each with the attestation that it deserves."""
    stamped = [(one.attestation, one.sign_up) for one in posted if one.attestation is not None]
    uses = iter(await attestations.spend(connection, stamped, now))
    kept = []
    for one in posted:
        use = Use.OTHERS if one.attestation is None else next(uses)
        if use is not Use.AGAIN:
            kept.append(_attested(one) if use is Use.FIRST else one)
    return kept


def _attested(one: Posted) -> Posted:
    stamp = one.attestation
    if stamp is None:
        return one
    page_url = stamp.page_url or one.sign_up.page_url
    proven = replace(
        one.sign_up, rendered_by=stamp.rendered_by, page_url=page_url, shown=stamp.shown
    )
    return replace(one, sign_up=proven)
