"""What a worker asks of this gateway: the flows, behind `delivery.desk.Desk`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from consent import specimens
from delivery import journal, leases, permits
from delivery.desk import Claimed, Composed, Ended, Parcel
from delivery.permits import Spending
from gateway.flows.restoring.marketing import MarketingHold
from gateway.flows.sending import claim, settle
from gateway.flows.sending.composing import Composer, equip
from gateway.flows.sending.letters import Letter
from gateway.flows.sending.settle import Settled
from gateway.parts import Parts


class Desk:
    """Meets `delivery.desk.Desk`; no transaction lasts across the network.

    Mails are composed in the event loop or, with *aside*, beside it: see `Composer`.
    """

    def __init__(self, parts: Parts, *, aside: bool = False) -> None:
        self._parts = parts
        tools = equip(parts.config, parts.templates, parts.signers)
        self._composer = Composer(tools, self._version, aside=aside)
        self._hold = MarketingHold(parts.data, parts.log)

    async def register(self, owner: str) -> None:
        parts = self._parts
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            lease = parts.config.delivery.lease
            await leases.register(connection, owner, journal.this_boot(), now, lease)

    async def renew(self, owner: str) -> bool:
        parts = self._parts
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            return await leases.renew(connection, owner, now, parts.config.delivery.lease)

    async def claim(
        self, owner: str, wanted: int, *, marketing: bool = True, most: int = 0
    ) -> Claimed[Letter]:
        wants = marketing and not await self._hold.stands()
        return await claim.claim(self._parts, owner, wanted, marketing=wants, most=most)

    async def compose(
        self, parcel: Parcel[Letter], following: Iterable[Parcel[Letter]] = ()
    ) -> Composed | None:
        return await self._composer.mail(parcel.letter, following)

    async def _version(self, version: str) -> bytes | None:
        """What a version of a template was written as; None where it is not that any more."""
        async with self._parts.data.read() as connection:
            found = (await specimens.get(connection, [version])).get(version)
        return None if found is None else found.body

    async def spend(self, owner: str, spendings: Sequence[Spending]) -> set[str]:
        async with self._parts.data.at_once() as connection:
            return await permits.spend(connection, owner, spendings, self._parts.clock)

    async def settle(self, owner: str, ended: Sequence[Ended[Letter]]) -> Collection[str]:
        return (await self._settle(owner, ended)).lost

    async def _settle(self, owner: str, ended: Sequence[Ended[Letter]]) -> Settled:
        for one in ended:
            one.parcel.letter.drop()  # before it waits for a database that is away
        return await settle.settle(self._parts, owner, ended)

    async def take_back(self, owner: str, carried: Collection[tuple[str, int]]) -> None:
        await settle.take_back_lost(self._parts.data, self._parts.clock, owner, carried)

    async def leave(self, owner: str) -> None:
        async with self._parts.data.begin() as connection:
            await leases.forget(connection, owner)
