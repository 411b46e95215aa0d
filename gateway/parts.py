"""What flows work with, opened once per process. The composition root fills it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit.log import Log
from audit.publish import Publisher
from consent.consents import Consents
from consent.keys.keystore import KeyStore
from consent.lookup import LookUp
from consent.marks import Marks
from delivery.dkim import Signer
from delivery.permit_wait import PermitWait
from delivery.templates import Templates
from gateway.config.config import Config
from gateway.door import Door
from gateway.keyfiles.keyring import Keyring
from gateway.takings import Takings
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys


@dataclass(frozen=True)
class Parts:
    """The opened pieces of one process; nothing here is per request."""

    config: Config
    keyring: Keyring
    clock: Clock
    data: Database
    key_database: Database  # that `keystore` reads and writes
    guard: Database
    keystore: KeyStore
    log: Log
    publisher: Publisher
    rows: RowKeys
    lookup: LookUp
    consents: Consents
    permit_wait: PermitWait
    marks: Marks
    takings: Takings
    door: Door
    templates: Templates
    signers: dict[str, Signer]  # a key that may sign is taken up while we run

    @property
    def stores(self) -> Mapping[str, Database]:
        """Every database, by what it is called when it is away."""
        return {"data": self.data, "keys": self.key_database, "guard": self.guard}

    @property
    def base(self) -> str:
        """What links in mails begin with."""
        return self.config.server.public_url
