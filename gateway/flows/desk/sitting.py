"""Who sits at the desk: a link is spent, a session opens, and it ends; the log tells of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail as audit_trail
from audit.kinds import Actor, Kind
from audit.log import Log
from consent import address, fresh_links, gates, personal
from consent.fresh_links import FreshLink, Session
from consent.gates import Gate
from consent.keys.keystore import KeyStore
from consent.keys.vault import Compartment, Vault
from consent.subject_evidence import AtDesk
from consent.trail import Trail
from gateway.config.config import Config, Role
from gateway.flows.desk import sign_in
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_KEYS: Final = (Compartment.PROFILE, Compartment.EVIDENCE)


@dataclass(frozen=True, slots=True)
class Operator:
    """Who sits there, as the configuration has them now."""

    name: str
    role: Role
    session: Session = field(repr=False)


@dataclass(frozen=True, slots=True)
class Desk:
    """Opens and ends sessions. Who the configuration names no more has none from then on."""

    data: Database
    keystore: KeyStore
    clock: Clock
    log: Log
    rows: RowKeys
    config: Config

    async def can_open(self, token: str) -> bool:
        """Whether a link still opens the desk. Changes nothing."""
        digest = sign_in.hash_of(token)
        if digest is None:
            return False
        async with self.data.read() as connection:
            found = await fresh_links.find(connection, self.rows, digest)
            now = await self.clock.now(connection)
        return found is not None and found.spent_at is None and found.expires_at > now

    async def open(self, token: str) -> bytes | None:
        """Spend a link and open a session, whose id is returned; None: it opens nothing."""
        digest = sign_in.hash_of(token)
        if digest is None:
            return None
        async with self.data.read() as connection:
            link = await fresh_links.find(connection, self.rows, digest)
        if link is None:
            return None
        vault = await self.keystore.vault([link.subject])
        async with self.data.begin() as connection:
            held = await gates.lock(connection, [link.subject])
            now = await self.clock.now(connection)
            name = self._name(held.get(link.subject), vault)
            if name is None or await _is_spent(connection, link, vault):
                return None
            if not await fresh_links.spend(connection, link, now):
                return None
            raw = await fresh_links.open_session(connection, self.rows, link.subject, now)
            trail = Trail(self.log, vault, held)
            said = AtDesk(name, self.config.operators[name].role, link.id)
            kind, refs = Kind.OPERATOR_SIGNED_IN, {"operator": name}
            trail.record(kind, link.subject, Actor.OPERATOR, now, evidence=said, refs=refs)
            await trail.stage(connection)
        return raw

    async def who(self, raw: bytes) -> Operator | None:
        """Who sits there, asked at every request. Changes nothing."""
        async with self.data.read() as connection:
            now = await self.clock.now(connection)
            found = await fresh_links.session_of(connection, self.rows, raw, now)
            if found is None:
                return None
            gate = (await gates.peek(connection, [found.subject])).get(found.subject)
        name = self._name(gate, await self.keystore.vault([found.subject]))
        return None if name is None else Operator(name, self.config.operators[name].role, found)

    async def leave(self, one: Operator, raw: bytes) -> None:
        """End a session at once."""
        subject = one.session.subject
        vault = await self.keystore.vault([subject])
        async with self.data.begin() as connection:
            held = await gates.lock(connection, [subject])
            now = await self.clock.now(connection)
            await fresh_links.close_session(connection, self.rows, raw)
            if not gates.usable(held.get(subject), vault, Compartment.EVIDENCE):
                return
            trail = Trail(self.log, vault, held)
            said, refs = AtDesk(one.name, one.role), {"operator": one.name}
            kind = Kind.OPERATOR_SIGNED_OUT
            trail.record(kind, subject, Actor.OPERATOR, now, evidence=said, refs=refs)
            await trail.stage(connection)

    def _name(self, gate: Gate | None, vault: Vault) -> str | None:
        """By which name the configuration has the mailbox on file; None: by none."""
        if not gates.usable(gate, vault, *_KEYS) or not gate.is_honest(self.rows):
            return None
        mailbox = personal.open_mailbox(gate, vault)
        return None if mailbox is None else self.config.operator_of(address.parse(mailbox))


async def _is_spent(connection: AsyncConnection, link: FreshLink, vault: Vault) -> bool:
    """Whether the log tells that it was spent, whatever its row says."""
    told = await audit_trail.told(connection, [link.subject], {Kind.OPERATOR_SIGNED_IN}, vault)
    return link.id in (one.facts.get("link") for one in told)
