"""Who stays although the reason for which alone we had their mailbox on file has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.rowmac import RowMacs
from consent import history, holds
from consent.consents import Consent
from consent.gates import Gate
from consent.keys.vault import Vault
from consent.rights import undecided
from storage.honesty import RowKeys


async def of(
    connection: AsyncConnection,
    keys: RowKeys,
    macs: RowMacs,
    held: Mapping[str, Gate],
    consents: Mapping[str, Sequence[Consent]],
    vault: Vault,
    now: datetime,
) -> set[str]:
    """Those who agreed to anything, have a stop, a hold, or wait for an answer; hold their gates.

    By the log as well: rows may be away, and who is erased is for good. Of whom it cannot be read
    nobody goes.
    """
    rows = [one for theirs in consents.values() for one in theirs]
    told = await history.read(connection, macs, held, vault, rows)
    known = {one: told[one].told if one in told else [] for one in held}
    kept = await holds.held_back(connection, keys, macs, known, now)
    kept |= {one.subject for one in await holds.of_subjects(connection, keys, held)}
    for subject, gate in held.items():
        theirs = consents.get(subject, ())
        stopped = gate.restricted_at or gate.objected_at or not gate.is_honest(keys)
        unread = subject not in told or not told[subject].vouches_for_all(theirs)
        waits = undecided(event.entry for event in known[subject])
        if theirs or stopped or unread or waits:
            kept.add(subject)
    return kept
