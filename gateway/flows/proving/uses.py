"""The mails that rested on one consent, read from the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from audit import within
from audit.kinds import Kind
from audit.rowmac import RowMacs
from consent.consents import Consent
from consent.keys.vault import Vault
from gateway.flows.proving.transmissions import Transmission, rested_on
from gateway.flows.rights.dossier import Aside
from storage.database import Database
from storage.types import NO_MOMENT

_MOST: Final = 60_000  # items of one person: who has more, of those the newest
_OF_MAILS: Final = (Kind.PERMIT_BATCH, Kind.DELIVERY_BATCH)


@dataclass(frozen=True, slots=True)
class Uses:
    """Oldest first; *are_all*: none is older than what was read."""

    sent: Sequence[Transmission]
    are_all: bool


async def read(data: Database, macs: RowMacs, consent: Consent, vault: Vault, aside: Aside) -> Uses:
    """What a consent allowed, whatever its row says of when it was asked for."""
    async with data.snapshot() as connection:
        stored = await within.of_person(
            connection, macs, consent.subject, _OF_MAILS, NO_MOMENT, _MOST
        )
    items, _ = await aside(partial(within.opened, stored, vault))
    return Uses(rested_on(items, consent.id), len(stored.rows) < _MOST)
