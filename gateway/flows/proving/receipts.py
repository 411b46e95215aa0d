"""What a person may keep of what they decided: numbers of the log that prove it later."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from audit import receipt
from audit.checkpoints import Verifier
from audit.log import Log
from audit.receipt import Receipt
from consent.consents import Consent
from consent.model import State
from storage.database import Database

_DECIDED = (State.CONFIRMED, State.WITHDRAWN, State.EXPIRED)


async def look(
    data: Database, log: Log, verifier: Verifier, consents: Collection[Consent]
) -> Mapping[str, Receipt]:
    """The receipts of decided consents, by id, of the events that made them what they are."""
    decided = {one.eid: one.id for one in consents if one.state in _DECIDED}
    async with data.read() as connection:
        found = await receipt.of(connection, log, verifier, decided)
    return {decided[eid]: one for eid, one in found.items()}
