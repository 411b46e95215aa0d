"""What campaigns say: one content for many messages, under a key that is nobody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from consent.keys.keystore import KeyStore
from consent.keys.vault import Vault
from delivery import campaigns
from delivery.outbox import Message, Parked, Stored
from delivery.sharing import Due
from gateway.flows.sending import content
from storage.database import Database
from storage.secret import Secret


@dataclass(frozen=True, slots=True)
class Shared:
    """The keys of what some messages' campaigns say, and which of those were found whole."""

    keys: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    _whole: dict[tuple[str, str], bool] = field(default_factory=dict)

    def of(self, message: Message) -> Mapping[str, Secret]:
        """What opens *message*; nothing for one that is of no campaign."""
        return {} if message.campaign is None else self.keys

    def flaw(self, message: Message, stored: Stored, vault: Vault) -> Parked | None:
        """Why a campaign's message cannot be composed: they all wait until somebody looked.

        A mail that does not open would end `failed`, and with it everybody's.
        """
        if message.campaign is None:
            return None
        if stored.key is None or stored.key not in self.keys:
            return Parked.KEY_MISSING
        looked = (message.content, message.purpose)
        if looked not in self._whole:
            self._whole[looked] = content.opens(message, stored, vault, self.keys)
        return None if self._whole[looked] else Parked.ALTERED


async def fetch(data: Database, keystore: KeyStore, some: Sequence[Due]) -> Shared:
    """The keys for those of these messages that are of campaigns; before any gate is locked."""
    names = {one.campaign for one in some if one.campaign is not None}
    if not names:
        return Shared()
    async with data.read() as connection:
        wanted = await campaigns.content_keys(connection, names)
    return Shared(await keystore.content_keys(wanted))
