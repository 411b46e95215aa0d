"""A log to try things on: keys, a sealer with real cryptography, events, and vectors."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.entry import Draft, Event, Item, Opener, Place, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.publish import Publisher
from audit.signers import Signers
from audit.tables import guard_metadata, metadata
from storage.database import Database
from storage.keysets import KeySet
from storage.secret import Secret

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "audit.json").read_text()
)
MOMENT = datetime(2026, 11, 23, 8, 25, 10, tzinfo=UTC)
LOG = Log("gw.example.org/audit/2026a", KeySet.of(Secret(bytes(range(32)))), "node-1")
SIGNERS = Signers.of(LOG.first, Secret(sha256(b"TEST-SIGNING-KEY").digest()))
PUBLISHER = Publisher(LOG, SIGNERS)
GRACE = "sub_grace"


@dataclass
class KeyRing:
    """Meets `Sealer` and `Opener`: one AES-GCM key for each subject and compartment."""

    keys: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def seal(
        self, subject: str, compartment: str, place: tuple[str, str, str], plaintext: bytes
    ) -> bytes:
        key = self.keys.setdefault((subject, compartment), os.urandom(32))
        nonce = os.urandom(12)
        return nonce + AESGCM(key).encrypt(nonce, plaintext, repr(place).encode())

    def open(
        self, subject: str, compartment: str, place: tuple[str, str, str], sealed: bytes
    ) -> bytes | None:
        key = self.keys.get((subject, compartment))
        if key is None:
            return None
        try:
            return AESGCM(key).decrypt(sealed[:12], sealed[12:], repr(place).encode())
        except InvalidTag:
            raise ValueError("altered") from None

    async def for_subjects(self, subjects: Sequence[str]) -> Opener:
        return self

    def erase(self, subject: str) -> None:
        self.keys = {name: key for name, key in self.keys.items() if name[0] != subject}


async def create_log(data: Database, guard: Database) -> None:
    """What `gateway init` does for the log."""
    async with data.begin() as connection, guard.begin() as other:
        await connection.run_sync(metadata.create_all)
        await other.run_sync(guard_metadata.create_all)
        await PUBLISHER.create_guard(other, connection)
        await LOG.open_log(connection, MOMENT)


def system_events(count: int) -> list[Draft]:
    """Events about nobody."""
    event = [Event(Kind.TEXT_PUBLISHED, Actor.SYSTEM, MOMENT) for _ in range(count)]
    return [draft(one, None, LOG.node) for one in event]


def person_events(ring: KeyRing, place: Place, *kinds: Kind) -> list[Draft]:
    """One person's events, each linked to the one before."""
    drafts: list[Draft] = []
    for number, kind in enumerate(kinds):
        facts = {"evidence": {"number": number}}
        event = Event(kind, Actor.SUBJECT, MOMENT, facts=facts, place=place)
        drafts.append(draft(event, ring, LOG.node))
        assert drafts[-1].next is not None
        place = drafts[-1].next
    return drafts


def batch_event(ring: KeyRing, subjects: Sequence[str | None]) -> Draft:
    """A claim of one message for each subject."""
    items = [Item(one, {"message": f"msg_{n}"}) for n, one in enumerate(subjects)]
    return draft(Event(Kind.PERMIT_BATCH, Actor.SYSTEM, MOMENT, items=items), ring, LOG.node)


async def write(data: Database, *drafts: Draft) -> None:
    """Stage the drafts in one transaction and sequence everything in the next."""
    async with data.begin() as connection:
        await LOG.stage(connection, drafts)
    async with data.begin() as connection:
        while await LOG.sequence(connection):
            pass
