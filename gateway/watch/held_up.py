"""What keeps mail from moving, looked for: by every process again and again, and by `status`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import structlog

from audit.rowmac import RowMacs
from consent import withheld
from consent.keys.keystore import KeyStore
from consent.lookup import LookUp
from delivery import waits
from delivery.errors import RelayAway
from gateway.config.config import Config
from gateway.keyfiles import dkim_keys
from gateway.keyfiles.dkim_rotation import Resolver
from gateway.watch import about_relay, hindrances, marketing, stuck
from gateway.watch.hindrances import Facts, Hindered
from gateway.watch.metrics import Metrics
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway

log = structlog.get_logger()

EVERY: Final = timedelta(seconds=10)
# Of a mail that asks to confirm (`gateway/flows/sending/occasion.py`).
CONFIRMATION: Final = "confirmation"
_CALLED: Final = {"key store": "keys"}  # what an error calls a store, and what `/readyz` does


@dataclass(frozen=True, slots=True)
class Eyes:
    """What is read for it."""

    data: Database
    keystore: KeyStore
    clock: Clock
    macs: RowMacs
    lookup: LookUp

    async def facts(self, beside: Facts) -> Facts:
        """As *beside*, with what the stores tell; without, where one is away. Changes nothing."""
        try:
            return await self._facts(beside)
        except StorageAway as error:
            store = _CALLED.get(error.store, error.store)
            return replace(beside, away=sorted({*beside.away, store}))

    async def _facts(self, beside: Facts) -> Facts:
        weekly = await self.keystore.standing_limit_keys(self.clock.wall())
        async with self.data.read() as connection:
            await self.lookup.find(connection, ())
            now = await self.clock.now(connection)
            return replace(
                beside,
                now=now,
                ahead=now - self.clock.wall(),
                waits=await waits.look(connection, now, CONFIRMATION),
                held=await marketing.look(connection, self.macs),
                lacking=[f"{kind} {number}" for kind, number in sorted(self.lookup.lacking)],
                withheld=await withheld.count(connection, weekly, now),
                parked=await stuck.look(connection),
            )


@dataclass(frozen=True, slots=True)
class Here:
    """What of it this process alone knows."""

    lacking: Callable[[], Awaitable[Sequence[str]]]  # what `/readyz` names
    trouble: Callable[[], RelayAway | None]  # how its last try to reach the relay ended
    ending: asyncio.Event = field(default_factory=asyncio.Event)  # then its worker ends in order


@dataclass
class Lookout:
    """Looks again and again; a metric and the log tell of what it finds, `/readyz` shows it."""

    eyes: Eyes
    here: Here
    counted: Metrics
    told: Sequence[Hindered] = ()
    _named: Collection[str] = field(default_factory=frozenset)

    async def look(self) -> int:
        """Look once; a line is written where the reasons are others than before."""
        lacking, trouble = await self.here.lacking(), self.here.trouble()
        beside = Facts(
            now=self.eyes.clock.wall(),
            away=[one for one in lacking if one != "worker"],
            stopped="worker" in lacking and not self.here.ending.is_set(),
            # Without what it said: that is for a terminal alone.
            relay=None if trouble is None else RelayAway(trouble.problem, trouble.code),
        )
        self.told = hindrances.decide(await self.eyes.facts(beside))
        self._count()
        self._tell()
        return 0

    def _count(self) -> None:
        self.counted.hindered.clear()  # what is over is named no more
        for one in self.told:
            self.counted.hindered.labels(one.why).set(0)
        for one in self.told:
            self.counted.hindered.labels(one.why).inc(one.number)

    def _tell(self) -> None:
        named = frozenset(one.why for one in self.told)
        if named == self._named:
            return
        self._named = named
        if named:
            log.warning("mail_waits", why=", ".join(sorted(named)))
        else:
            log.info("mail_moves")


async def closer(config: Config, facts: Facts, resolver: Resolver) -> Facts:
    """As *facts*, with what who looks once must ask for: the relay, and DNS.

    Only where mail waits that they may keep back: neither answers at once.
    """
    if config.delivery.transport == "inbox" or not facts.waits.workers:
        return facts
    if not facts.waits.due and not facts.waits.later.get("", 0):
        return facts
    records = (one for one in dkim_keys.records(config) if resolver(one.name) == [])
    unpublished = [one.name for one in records]
    return replace(facts, relay=await about_relay.trouble(config), unpublished=unpublished)
