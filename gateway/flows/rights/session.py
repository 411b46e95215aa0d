"""The short session that a fresh link opens; the look that follows is written down here."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail as audit_trail
from audit.kinds import Actor, Kind
from consent import (
    address_links,
    fresh_links,
    gates,
    tokens,
)
from consent.fresh_links import FreshLink, Session
from consent.keys.vault import Compartment, Vault
from consent.subject_evidence import Accessed
from consent.trail import Trail
from gateway.look import terms
from gateway.parts import Parts
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_LOOK = (Compartment.PROFILE, Compartment.EVIDENCE)  # what it shows, and that it is told of


async def open_session(parts: Parts, token: str) -> bytes | None:
    """Spend a link and open a session, whose id is returned; None where there is nothing to open.

    The look that follows is written down once, here.
    """
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with parts.data.read() as connection:
        found = await fresh_links.find(connection, parts.rows, digest)
    if found is None:
        return None
    vault = await parts.keystore.vault([found.subject])
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, [found.subject])
        now = await parts.clock.now(connection)
        gate = held.get(found.subject)
        # Before it is spent: else the person would have no link any more, and nothing to see.
        if not gates.usable(gate, vault, *_LOOK):
            return None
        if await _is_over(connection, found, vault):
            return None
        if not await fresh_links.spend(connection, found, now):
            return None
        raw = await fresh_links.open_session(connection, parts.rows, found.subject, now)
        # With what opens the session: a crash leaves no look that nobody can see.
        trail = Trail(parts.log, vault, held)
        said = Accessed(terms.OWN_LOOK, found.id)
        trail.record(Kind.SUBJECT_ACCESSED, found.subject, Actor.SUBJECT, now, evidence=said)
        await trail.stage(connection)
    return raw


async def _is_over(connection: AsyncConnection, link: FreshLink, vault: Vault) -> bool:
    """Whether the log tells that it was spent, or ended, whatever its row says."""
    kinds = {Kind.SUBJECT_ACCESSED, *address_links.ENDING}
    told = await audit_trail.told(connection, [link.subject], kinds, vault)
    opened = (one.facts.get("link") for one in told if one.kind is Kind.SUBJECT_ACCESSED)
    return link.id in opened or address_links.outdone(link.created_at, told)


async def session_of(data: Database, clock: Clock, keys: RowKeys, raw: bytes) -> Session | None:
    """The session while it lasts. Changes nothing."""
    async with data.read() as connection:
        return await fresh_links.session_of(connection, keys, raw, await clock.now(connection))


async def close_session(data: Database, keys: RowKeys, raw: bytes) -> None:
    """End a session at once."""
    async with data.begin() as connection:
        await fresh_links.close_session(connection, keys, raw)
