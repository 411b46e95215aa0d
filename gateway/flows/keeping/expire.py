"""Consents whose time is over are written down as such; decisions never waited for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consent import changes, gates, history, policy
from consent.consents import TABLE, Consent, Deadline, Due, Page
from consent.gates import Gate
from consent.history import History
from consent.keys.vault import Compartment
from consent.model import SubjectState
from consent.trail import Trail
from gateway.flows.bad_rows import each_for_itself, put_aside
from gateway.flows.keeping.walk import Walk
from gateway.parts import Parts
from gateway.watch.stuck import Why
from storage.turns import in_turns

_AT_ONCE = 200
_Key = tuple[datetime, str]


@dataclass
class Expiry:
    """How far the duties have come: one for dates, a slower one for what went unused."""

    parts: Parts
    dates: dict[Deadline, Walk[_Key]] = field(
        default_factory=lambda: {what: Walk(_AT_ONCE) for what in (Deadline.ANSWER, Deadline.DATE)}
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
        # By the shortest of all purposes, to find each candidate; its own then decides.
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
        walk.move([candidate.key for candidate in due])
        rows = {candidate.consent: candidate for candidate in due}
        return sum(await each_for_itself(parts.data, parts.clock, TABLE, rows, self._end))

    async def _end(self, due: Sequence[Due]) -> int:
        parts = self.parts
        subjects = {candidate.subject for candidate in due}
        vault = await parts.keystore.vault(subjects)
        async with parts.data.begin() as connection:
            held = await gates.lock(connection, subjects)
            # Again, under the gates: who answered or left since the page was read has not ended.
            rows = await parts.consents.get(connection, [candidate.consent for candidate in due])
            now = await parts.clock.now(connection)
            known = await parts.consents.with_use(connection, list(rows.values()), now)
            told = await history.read(connection, parts.log.macs, held, vault, known)
            stuck = _stuck(known, held, told, now)
            trail = Trail(parts.log, vault, held, parts.rows)
            ended = [
                changed
                async for consent in in_turns(known)
                if consent.id not in stuck
                and gates.usable(held.get(consent.subject), vault, Compartment.EVIDENCE)
                and (changed := changes.end(consent, trail, now)) is not None
            ]
            await parts.consents.write(connection, ended)
            await put_aside(connection, TABLE, stuck, now)
            await trail.stage(connection)
        return len(ended)


def _stuck(
    consents: Sequence[Consent],
    held: Mapping[str, Gate],
    told: Mapping[str, History],
    now: datetime,
) -> dict[str, Why]:
    """Which of these cannot be written down as over, though they are, and why."""
    found = {
        one.id: _why_not(one, held.get(one.subject), told.get(one.subject), now) for one in consents
    }
    return {name: why for name, why in found.items() if why is not None}


def _why_not(
    consent: Consent, gate: Gate | None, told: History | None, now: datetime
) -> Why | None:
    if gate is not None and gate.state in (SubjectState.ERASING, SubjectState.ERASED):
        return None  # it goes with the person
    if not consent.honest or gate is None or not gate.live:
        return Why.ALTERED
    if policy.effective_state(consent, now) is consent.state:
        return None  # it was answered, or used, since the page was read
    if told is None:
        return Why.KEY_MISSING
    # An old row that was put back must not get the event that makes it fit.
    return None if told.vouches(consent) else Why.ALTERED
