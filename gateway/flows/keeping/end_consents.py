"""A wording was retired together with what rests on it: each consent ends, and the log says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consent import changes, gates, history, resting
from consent.consents import TABLE
from consent.keys.vault import Compartment
from consent.resting import Named
from consent.trail import Trail
from gateway.flows.bad_rows import each_for_itself
from gateway.parts import Parts

_AT_ONCE = 200


@dataclass
class Ending:
    """How far it has come, and what ended; whoever begins it again goes on with what is left."""

    parts: Parts
    text: str
    after: str | None = None
    consents: int = 0
    requests: int = 0

    async def some(self) -> int | None:
        """End the next consents that rest on the text; how many, or None behind the last.

        Those that cannot be ended stay, and permit nothing either: their rows
        were altered, or the keys of their people are gone. So do rows that are not the
        last of their consents: `audit verify` names them.
        """
        parts = self.parts
        async with parts.data.read() as connection:
            page = await resting.after(connection, self.text, self.after, _AT_ONCE)
        if not page:
            return None
        self.after = page[-1].consent
        rows = {one.consent: one for one in page}
        return sum(await each_for_itself(parts.data, parts.clock, TABLE, rows, self._end))

    async def _end(self, named: Sequence[Named]) -> int:
        parts = self.parts
        subjects = {one.subject for one in named}
        vault = await parts.keystore.vault(subjects)
        async with parts.data.begin() as connection:
            held = await gates.lock(connection, subjects)
            # Again, under the gates: who answered or left since the page was read is not ended.
            rows = await parts.consents.get(connection, [one.consent for one in named])
            now = await parts.clock.now(connection)
            trail = Trail(parts.log, vault, held, parts.rows)
            told = await history.read(connection, parts.log.macs, held, vault, rows.values())
            ended = [
                changed
                for consent in rows.values()
                if consent.text_hash == self.text
                and gates.usable(held.get(consent.subject), vault, Compartment.EVIDENCE)
                and told[consent.subject].vouches(consent)
                and (changed := changes.end_with_wording(consent, trail, now)) is not None
            ]
            await parts.consents.write(connection, ended)
            await trail.stage(connection)
        agreed = sum(one.state.decided for one in ended)
        self.consents += agreed
        self.requests += len(ended) - agreed
        return len(ended)
