"""Messages as their sender may see them: one with its attempts, or many, newest first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import gates
from consent.errors import KeyUnusable, SealError
from consent.keys.keystore import KeyStore
from consent.keys.vault import Vault
from delivery import attempts, outbox, own_messages, permits
from delivery.attempts import Attempt
from delivery.outbox import Message, Stored
from delivery.own_messages import Asked
from delivery.permits import Permit
from gateway.flows.errors import ContentError
from gateway.flows.sending import content
from gateway.flows.sending.composing import message_id_header
from storage.database import Database


@dataclass(frozen=True, slots=True)
class MessageSeen:
    message: Message
    permit: Permit | None  # of the newest attempt
    attempts: Sequence[Attempt]
    message_id_header: str | None
    reference: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """One of many; its reference is gone with its content."""

    message: Message
    reference: str | None = field(repr=False)


async def look(
    data: Database, keystore: KeyStore, message_id: str, origin: str
) -> MessageSeen | None:
    """A message of this caller, with its attempts; None for another's, or for none."""
    async with data.read() as connection:
        message = await outbox.get(connection, message_id)
        if message is None or message.origin != origin:
            return None
        permit = await permits.of_message(connection, message.id, message.attempt)
        tried = await attempts.of_message(connection, message.id)
    said = await _references(data, keystore, [message])
    header = message_id_header(message)
    return MessageSeen(message, permit, tried, header, said.get(message.id))


async def listed(
    data: Database, keystore: KeyStore, asked: Asked, limit: int
) -> tuple[Sequence[Listed], str | None]:
    """A page of a caller's messages, and before which one the next begins."""
    async with data.read() as connection:
        found, before = await own_messages.page(connection, asked, limit)
    said = await _references(data, keystore, found)
    return [Listed(one, said.get(one.id)) for one in found], before


async def _references(
    data: Database, keystore: KeyStore, messages: Sequence[Message]
) -> Mapping[str, str]:
    """What callers called these, by message: of people who are here, while the contents are."""
    own = [one for one in messages if one.campaign is None and one.content]
    subjects = {one.subject for one in own}
    vault = await keystore.vault(subjects)
    async with data.read() as connection:
        live = await _live(connection, subjects)
        here = [one for one in own if one.subject in live]
        stored = await outbox.contents(connection, [one.content for one in here])
    # Aside: a thousand seals are opened in the time of some answers.
    return await asyncio.to_thread(_opened, here, stored, vault)


async def _live(connection: AsyncConnection, subjects: set[str]) -> set[str]:
    known = await gates.peek(connection, subjects)
    return {one for one, gate in known.items() if gate.live}


def _opened(
    messages: Sequence[Message], stored: Mapping[str, Stored], vault: Vault
) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in messages:
        reference = _reference(one, stored.get(one.content), vault)
        if reference is not None:
            found[one.id] = reference
    return found


def _reference(message: Message, stored: Stored | None, vault: Vault) -> str | None:
    if stored is None:
        return None
    try:
        raw = content.opened(message, stored, vault, {})
        read = None if raw is None else content.read(raw)
    except (SealError, KeyUnusable, ContentError):
        return None  # a damaged content: its message does not go either, and says so
    return None if read is None or isinstance(read, content.OurMail) else read.reference
