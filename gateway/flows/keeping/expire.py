"""Consents whose time is over are written down as such; decisions never waited for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consent import changes, gates
from consent.consents import Deadline, Due, Page
from consent.keys.vault import Compartment
from consent.trail import Trail
from gateway.flows.keeping.walk import Walk
from gateway.parts import Parts

_AT_ONCE = 200
_Key = tuple[datetime, str]


@dataclass
class Expiry:
    """How far the duties have come: one for dates, a slower one for what went unused."""

    parts: Parts
    dates: dict[Deadline, Walk[_Key]] = field(
        default_factory=lambda: {one: Walk(_AT_ONCE) for one in (Deadline.ANSWER, Deadline.DATE)}
    )
    use: Walk[_Key] = field(default_factory=lambda: Walk(_AT_ONCE))

    async def by_date(self) -> int:
        """Lapse requests that nobody answered in 72 hours, expire consents past their end."""
        return sum([await self._expire(what, walk) for what, walk in self.dates.items()])

    async def by_use(self) -> int:
        """Expire consents for which no permit was spent for `unused_after`.

        Every consent older than that is looked at, used or not, so it runs
        seldom, and a run goes through all pages.
        """
        after = [p.unused_after for p in self.parts.config.purposes.values() if p.unused_after]
        if not after:
            return 0
        ended = await self._expire(Deadline.USE, self.use, min(after))
        while self.use.after is not None:
            ended += await self._expire(Deadline.USE, self.use, min(after))
        return ended

    async def _expire(self, what: Deadline, walk: Walk[_Key], old: timedelta = timedelta()) -> int:
        parts = self.parts
        async with parts.data.read() as connection:
            before = await parts.clock.now(connection) - old
            page = Page(walk.limit, walk.after)
            due = await parts.consents.due(connection, what, before, page)
        walk.move([one.key for one in due])
        return await _end(parts, due) if due else 0


async def expire(parts: Parts) -> int:
    """One page of everything that is over by its date, for whoever has no walk of their own."""
    return await Expiry(parts).by_date()


async def _end(parts: Parts, due: Sequence[Due]) -> int:
    subjects = {one.subject for one in due}
    vault = await parts.keystore.vault(subjects)
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, subjects)
        rows = await parts.consents.get(connection, [one.consent for one in due])
        now = await parts.clock.now(connection)
        known = await parts.consents.with_use(connection, list(rows.values()), now)
        trail = Trail(parts.log, vault, held)
        ended = [
            changed
            for one in known
            if gates.usable(held.get(one.subject), vault, Compartment.EVIDENCE)
            and (changed := changes.end(one, trail, now)) is not None
        ]
        await parts.consents.write(connection, ended)
        await trail.stage(connection)
    return len(ended)
