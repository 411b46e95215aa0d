"""Permits that the log grants and no row tells of: nobody can wait for what is not there.

Whoever leaves is answered once every permit of theirs can start nothing any more. A row
that is away at that moment, or somebody else's, or dated short, would be back when its worker
begins; so while the log knows of such a one, nobody is told that they have left.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories
from audit.kinds import Kind
from audit.rowmac import RowMacs
from audit.trail import Told
from consent.keys.vault import Compartment, Vault
from delivery import account
from delivery.account import Granted
from gateway.flows.leaving import unreadable
from gateway.flows.sending import grounds

log = structlog.get_logger()

_WHOLE = timedelta(milliseconds=1)  # an entry cuts off what its permit's row has beside them


async def holders(
    connection: AsyncConnection,
    macs: RowMacs,
    vault: Vault,
    subjects: Collection[str],
    now: datetime,
    ttl: timedelta,
) -> set[str]:
    """Of whom a permit that the log granted lately is not where whoever leaves looks for it.

    Hold their gates: nothing is granted them meanwhile. Most people were granted nothing
    for as long as a permit lives, and cost one statement for each place of the log.
    """
    if not subjects:
        return set()
    kind, since = Kind.PERMIT_BATCH, now - ttl - _WHOLE
    keyless = {one for one in subjects if not vault.has(one, Compartment.EVIDENCE)}
    unknown = await unreadable.holders(connection, macs, keyless, since) if keyless else set()
    told = await histories.of_items(connection, macs, subjects, kind, since, vault)
    grants = [one for one in told if one.facts.get("ground") is not None]
    if not grants:
        return unknown
    rows = await account.granted(connection, {one.facts["message"] for one in grants})
    found = {
        one.subject
        for one in grants
        if one.entry.at + ttl > now
        and not _is_there(one, rows.get((one.facts["message"], one.facts["attempt"])), ttl)
    }
    if found:
        log.error("permit_away", rows=len(found))
    return found | unknown


def _is_there(told: Told, row: Granted | None, ttl: timedelta) -> bool:
    if row is None:
        return False
    facts = told.facts
    for_all = grounds.terms(facts["ground"]["kind"]).for_all
    if (row.subject, row.purpose, row.for_all) != (told.subject, facts["purpose"], for_all):
        return False
    return row.waits_until is None or row.waits_until >= told.entry.at + ttl
