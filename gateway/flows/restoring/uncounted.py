"""Facts of people whose keys are gone before anybody counted what is theirs.

An erasure counts while there is a key, for whoever writes rows can put the facts of others
under a name. After a restore there is none, and an operator answers for what stands there.
"""

from __future__ import annotations

from collections.abc import Collection

from audit import strays
from consent import gates, going
from consent.keys.vault import Compartment
from gateway.flows.rights.erasing import Erasing


async def note(erasing: Erasing, subjects: Collection[str]) -> None:
    """Count all of it as theirs, of those who have no key; what an erasure lets go is told."""
    parts = erasing.parts
    vault = await parts.keystore.vault(subjects)
    for subject in sorted(subjects):
        if vault.has(subject, Compartment.EVIDENCE):
            continue
        async with parts.data.begin() as connection:
            held = await gates.lock(connection, [subject])
            now = await parts.clock.now(connection)
            for gate in held.values():
                counted = await strays.all_of(connection, subject, now)
                await going.note(connection, parts.rows, gate, counted.write())
