"""How often a fresh link may go to a mailbox. Silent: whoever asks for one learns nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import link_meter, service_mails, suppressions
from consent.address import Address
from consent.consents import Consent
from consent.link_meter import Recipient
from consent.suppressions import Stop
from storage.keysets import KeySet


class LinkLimits:
    """The limits as one transaction sees them; each link that it allows is counted."""

    def __init__(
        self,
        keys: KeySet,
        stops: Mapping[bytes, set[Stop]],
        sent: dict[bytes, list[datetime]],
        now: datetime,
    ) -> None:
        self._keys = keys
        self._stops = stops
        self._sent = sent
        self._now = now

    @classmethod
    async def read(
        cls,
        connection: AsyncConnection,
        keys: KeySet,
        addresses: Collection[Address],
        now: datetime,
    ) -> Self:
        hashes = {one for email in addresses for one in suppressions.hashes_of(keys, email)}
        boxes = {one for email in addresses for one in service_mails.mailbox_hashes(keys, email)}
        return cls(
            keys,
            await suppressions.in_force(connection, hashes, now),
            await service_mails.sent(connection, service_mails.Kind.FRESH_LINK, boxes, now),
            now,
        )

    def allow(self, email: Address, consents: Iterable[Consent]) -> bool:
        """Say whether a link may go to *email*, whose these consents are, and count it."""
        hashes = suppressions.hashes_of(self._keys, email)
        stops: set[Stop] = set().union(*(self._stops.get(one, ()) for one in hashes))
        recipient = Recipient(
            confirmed=any(consent.state.decided and consent.honest for consent in consents),
            blocked=bool(stops),
            stopped=Stop.SERVICE in stops,
        )
        boxes = service_mails.mailbox_hashes(self._keys, email)
        sent = [moment for box in boxes for moment in self._sent.get(box, ())]
        if not link_meter.may_go(recipient, sent, self._now):
            return False
        # At once: the next request for this mailbox may be in the same batch.
        self._sent.setdefault(boxes[0], []).append(self._now)
        return True
