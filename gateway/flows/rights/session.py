"""The short session that a fresh link opens; the look that follows is written down here."""

from __future__ import annotations

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import histories
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.rowmac import RowMacs
from consent import (
    address_links,
    fresh_links,
    gates,
    tokens,
)
from consent.fresh_links import FreshLink, Session
from consent.gates import Gate
from consent.keys.own_sessions import OwnSessions
from consent.keys.vault import Compartment, Vault
from consent.subject_evidence import Accessed
from consent.trail import Trail
from gateway.look import terms
from gateway.parts import Parts
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys

log = structlog.get_logger()

_LOOK = (Compartment.PROFILE, Compartment.EVIDENCE)  # what it shows, and that it is told of


async def open_session(parts: Parts, token: str) -> bytes | None:
    """Spend a link and open a session, whose id is returned; None where there is nothing to open.

    The look that follows is written down once, here. `StorageAway` where the log may lack that
    the link was ended.
    """
    digest = tokens.hash_of(token)
    if digest is None:
        return None
    async with parts.data.read() as connection:
        found = await fresh_links.find(connection, parts.rows, digest)
    if found is None or await parts.keystore.sessions.spent(found.id):
        return None
    vault = await parts.keystore.vault([found.subject])
    async with parts.data.begin() as connection:
        opened = await _opened(connection, parts.clock, parts.rows, parts.log, found, vault)
    if opened is None:
        return None
    raw, session = opened
    # After the commit: until then nothing is opened, and a crash leaves a row that opens nothing.
    last = session.expires_at
    if not await parts.keystore.sessions.open(found.id, session.subject, session.id_hash, last):
        log.error("link_put_back")
        return None
    # Whoever ended all of theirs in between ended those that stood by then, and not this one.
    if await session_of(parts.data, parts.keystore.sessions, parts.clock, parts.rows, raw) is None:
        await parts.keystore.sessions.end([session.id_hash])
        return None
    return raw


async def _opened(
    connection: AsyncConnection,
    clock: Clock,
    keys: RowKeys,
    audit_log: Log,
    found: FreshLink,
    vault: Vault,
) -> tuple[bytes, Session] | None:
    """What the data has to say of it, and the event of the look."""
    held = await gates.lock(connection, [found.subject])
    now = await clock.now(connection)
    gate = held.get(found.subject)
    # Before it is spent: else the person would have no link any more, and nothing to see.
    if not gates.usable(gate, vault, *_LOOK):
        return None
    if await _is_over(connection, audit_log.macs, gate, found, vault):
        return None
    if not await fresh_links.spend(connection, found, now):
        return None
    opened = await fresh_links.open_session(connection, keys, found.subject, now)
    # With what opens the session: a crash leaves no look that nobody can see.
    trail = Trail(audit_log, vault, held)
    said = Accessed(terms.OWN_LOOK, found.id)
    trail.record(Kind.SUBJECT_ACCESSED, found.subject, Actor.SUBJECT, now, evidence=said)
    await trail.stage(connection)
    return opened


async def _is_over(
    connection: AsyncConnection, macs: RowMacs, gate: Gate, link: FreshLink, vault: Vault
) -> bool:
    """Whether the log tells that it was spent, or ended, whatever its row says; hold the gate."""
    subject = link.subject
    told = (await histories.of_people(connection, macs, [subject], vault))[subject]
    looks = (one for one in told if one.kind is Kind.SUBJECT_ACCESSED)
    if link.id in {one.facts.get("link") for one in looks}:
        return True
    if address_links.outdone(link.created_at, told):
        return True
    if not histories.whole_since(told, gate.place, link.created_at):
        log.error("link_not_opened")
        raise StorageAway("data")
    return False


async def session_of(
    data: Database, sessions: OwnSessions, clock: Clock, keys: RowKeys, raw: bytes
) -> Session | None:
    """The session while it lasts. Changes nothing."""
    async with data.read() as connection:
        now = await clock.now(connection)
        found = await fresh_links.session_of(connection, keys, raw, now)
    return found if found is not None and await sessions.stands(found.id_hash) else None


async def close_session(data: Database, sessions: OwnSessions, keys: RowKeys, raw: bytes) -> None:
    """End a session at once, for good."""
    async with data.begin() as connection:
        await fresh_links.close_session(connection, keys, raw)
    await sessions.end(fresh_links.names_of(keys, raw))
